//! A bar while captures are read; only on a terminal.

use indicatif::{ProgressBar, ProgressStyle};

use super::console::can_redraw;

/// How far reading has come, in bytes of the files as they are stored.
pub(super) struct Progress(ProgressBar);

impl Progress {
    /// A bar towards `total` bytes, or a count without an end where that is not known (standard input).
    pub(super) fn new(total: Option<u64>) -> Self {
        if !can_redraw() {
            return Self(ProgressBar::hidden());
        }
        let (bar, template) = match total {
            Some(total) => {
                (ProgressBar::new(total), "reading {bar:40} {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} {eta}")
            }
            None => (ProgressBar::new_spinner(), "reading {binary_bytes} {binary_bytes_per_sec}"),
        };
        Self(bar.with_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())))
    }

    /// Says how many bytes have been read.
    pub(super) fn at(&self, bytes: u64) {
        self.0.set_position(bytes);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
