#!/usr/bin/env bash
# Builds the committed tree in two directories and compares the programs: the same sources give the same bytes, wherever they lie.
#
#   tests/supply/reproducible.sh
set -euo pipefail
cd "$(git rev-parse --show-toplevel)"
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
one=$place/one two=$place/another/directory
cargo_home=${CARGO_HOME:-$HOME/.cargo}
# Paths in messages of panics and in line tables, of Rust and of C. Both builds get the same flags: cargo names files by a hash of them.
export RUSTFLAGS="--remap-path-prefix=$one=/build --remap-path-prefix=$two=/build --remap-path-prefix=$cargo_home=/cargo"
export CFLAGS="-ffile-prefix-map=$one=/build -ffile-prefix-map=$two=/build -ffile-prefix-map=$cargo_home=/cargo"
export CARGO_INCREMENTAL=0
unset CARGO_TARGET_DIR
hashes=()
for directory in "$one" "$two"; do
	mkdir -p "$directory"
	git archive HEAD | tar -x -C "$directory"
	(cd "$directory" && "${CARGO:-cargo}" build --release --locked --quiet --bin netpol-gen)
	hashes+=("$(sha256sum < "$directory/target/release/netpol-gen" | cut -d ' ' -f 1)")
	# Room for the next one.
	mv "$directory/target/release/netpol-gen" "$place/netpol-gen.${#hashes[@]}"
	rm -rf "$directory/target"
done
printf '%s\n' "${hashes[@]}"
if [ "${hashes[0]}" != "${hashes[1]}" ]; then
	cmp "$place/netpol-gen.1" "$place/netpol-gen.2" || true
	echo "two builds of the same sources differ" >&2
	exit 1
fi
echo "both builds are the same"
