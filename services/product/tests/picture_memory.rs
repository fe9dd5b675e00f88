//! Memory of the processing of a picture, in a process of its own.

#![expect(clippy::unwrap_used, reason = "a failed precondition ends the test")]

use std::io::Write as _;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use product_service::domain::{MAX_PICTURE_BYTES, Picture, PictureError};

/// Maximum memory of a picture, in KiB.
const LIMIT: u64 = 32 * 1024;

/// Returns the largest memory of this process so far, in KiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse().unwrap()
}

/// Returns a file of the largest size that inflates to gigabytes, although its picture has 48 MB.
fn bomb() -> Vec<u8> {
    let mut data = ZlibEncoder::new(Vec::new(), Compression::best());
    let zeros = vec![0; 1024 * 1024];
    for _ in 0..64 {
        data.write_all(&zeros).unwrap();
    }
    let (header, data) =
        ([&[0, 0, 0x0f, 0xa0, 0, 0, 0x0f, 0xa0][..], &[8, 2, 0, 0, 0]].concat(), data.finish().unwrap());
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut chunk = |kind: &[u8; 4], data: &[u8]| {
        let body = [&kind[..], data].concat();
        file.extend(u32::try_from(data.len()).unwrap().to_be_bytes());
        file.extend(&body);
        file.extend(crc32fast::hash(&body).to_be_bytes());
    };
    chunk(b"IHDR", &header);
    for _ in 0..(MAX_PICTURE_BYTES - 1024) / (data.len() + 12) {
        chunk(b"IDAT", &data);
    }
    chunk(b"IEND", b"");
    file
}

#[test]
fn decompression_bomb_is_rejected_in_bounded_memory() {
    let file = bomb();
    assert!((MAX_PICTURE_BYTES / 2..=MAX_PICTURE_BYTES).contains(&file.len()), "{}", file.len());
    let before = peak();
    assert_eq!(Picture::parse(&file).err(), Some(PictureError::Broken));
    let grown = peak() - before;
    assert!(grown <= LIMIT, "{grown} KiB");
}
