//! Compressed files, recognised by content: zstd and gzip. Decompressors stream: a bomb of any ratio costs time, not memory.

use std::io::{self, BufReader, Read};

/// The largest zstd window, as a power of two: what `zstd` itself decompresses without being told otherwise.
const WINDOW_LOG: u32 = 27;

/// What is in a file, and whether it was compressed.
pub(super) fn decompress<'r>(mut file: impl Read + 'r) -> io::Result<(Box<dyn Read + 'r>, bool)> {
    let mut head = Vec::with_capacity(4);
    file.by_ref().take(4).read_to_end(&mut head)?;
    // RFC 1952, section 2.3.1; RFC 8878, sections 3.1.1 and 3.1.2 (skippable frames may come first).
    let (is_gzip, is_zstd) = match head[..] {
        [0x1f, 0x8b, ..] => (true, false),
        [0x28, 0xb5, 0x2f, 0xfd] | [0x50..=0x5f, 0x2a, 0x4d, 0x18] => (false, true),
        _ => (false, false),
    };
    let whole = io::Cursor::new(head).chain(file);
    let reader: Box<dyn Read + 'r> = if is_gzip {
        Box::new(flate2::bufread::MultiGzDecoder::new(BufReader::with_capacity(64 * 1024, whole)))
    } else if is_zstd {
        let mut decoder = zstd::stream::read::Decoder::new(whole)?;
        decoder.window_log_max(WINDOW_LOG)?;
        Box::new(decoder)
    } else {
        Box::new(whole)
    };
    Ok((reader, is_gzip || is_zstd))
}

/// Whether reading failed because a file was cut in the middle, or because its end was never written: zeros stand there after a
/// machine went down.
pub(super) fn is_torn(error: &serde_json::Error) -> bool {
    match error.io_error_kind() {
        // What decompressors say of a stream that is none; a disk that cannot be read has kinds of its own.
        Some(kind) => matches!(
            kind,
            io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::Other
        ),
        None => error.is_eof(),
    }
}
