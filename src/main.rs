//! The command `netpol-gen`.

fn main() {}
