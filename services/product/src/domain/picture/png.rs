//! PNG files.

use flate2::{Decompress, FlushDecompress, Status};

use super::{PictureError, check_end, check_size, take, take_array};

/// First bytes of each file.
pub(super) const SIGNATURE: [u8; 8] = *b"\x89PNG\r\n\x1a\n";
/// Chunks beside the critical ones that decide about colours and transparency.
const COLOURS: [&[u8; 4]; 7] = [b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"cICP", b"sBIT"];

/// Bytes that are inflated at once.
const WINDOW: usize = 32 * 1024;
/// Passes of an interlaced picture: first column and row, distance of columns and rows.
const PASSES: [(u32, u32, u32, u32); 7] =
    [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)];

/// Chunk with its length and checksum as in the file.
struct Chunk<'a> {
    kind: [u8; 4],
    data: &'a [u8],
    checksum: [u8; 4],
}

/// Returns the file with its critical chunks and those of colours.
///
/// The compressed data is inflated piece by piece and thrown away: it must have exactly the bytes of the picture's rows.
/// A file that inflates to more is rejected where it exceeds them.
pub(super) fn rewrite(file: &[u8]) -> Result<Vec<u8>, PictureError> {
    let mut rest = file.get(SIGNATURE.len()..).ok_or(PictureError::Broken)?;
    let header = read(&mut rest)?;
    let (palette, row_bytes) = check_header(&header, file)?;
    let mut inflation = Inflation::new(row_bytes);
    let mut written = SIGNATURE.to_vec();
    write(&mut written, &header);
    let (mut has_palette, mut data) = (false, Data::Expected);
    loop {
        let chunk = read(&mut rest)?;
        if &chunk.kind != b"IDAT" && data == Data::Begun {
            data = Data::Ended;
        }
        match &chunk.kind {
            b"PLTE" if data == Data::Expected && !has_palette && palette != Palette::Forbidden => {
                if chunk.data.is_empty() || chunk.data.len() > 3 * 256 || !chunk.data.len().is_multiple_of(3) {
                    return Err(PictureError::Broken);
                }
                has_palette = true;
            }
            b"IDAT" if data != Data::Ended && (has_palette || palette != Palette::Required) => {
                data = Data::Begun;
                inflation.add(chunk.data)?;
            }
            b"IEND" if data == Data::Ended && chunk.data.is_empty() && inflation.is_complete() => {
                write(&mut written, &chunk);
                check_end(rest)?;
                return Ok(written);
            }
            kind if COLOURS.contains(&kind) && data == Data::Expected => {}
            // Lower case marks a chunk that a reader may ignore.
            kind if kind[0].is_ascii_lowercase() => continue,
            _ => return Err(PictureError::Broken),
        }
        write(&mut written, &chunk);
    }
}

/// Progress of the chunks with the compressed picture, which are consecutive.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Data {
    Expected,
    Begun,
    Ended,
}

/// Need of a palette.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Palette {
    Required,
    Optional,
    Forbidden,
}

/// Progress of the inflation of the compressed data.
struct Inflation {
    stream: Decompress,
    window: Box<[u8]>,
    expected: u64,
    ended: bool,
}

impl Inflation {
    fn new(expected: u64) -> Self {
        Self { stream: Decompress::new(true), window: vec![0; WINDOW].into(), expected, ended: false }
    }

    fn add(&mut self, mut data: &[u8]) -> Result<(), PictureError> {
        loop {
            let (read, produced) = (self.stream.total_in(), self.stream.total_out());
            let status = self.stream.decompress(data, &mut self.window, FlushDecompress::None);
            self.ended |= status.map_err(|_| PictureError::Broken)? == Status::StreamEnd;
            let read = usize::try_from(self.stream.total_in() - read).map_err(|_| PictureError::Broken)?;
            data = &data[read..];
            if self.stream.total_out() > self.expected || (self.ended && !data.is_empty()) {
                return Err(PictureError::Broken);
            }
            if self.ended || (read == 0 && self.stream.total_out() == produced) {
                return Ok(());
            }
        }
    }

    fn is_complete(&self) -> bool {
        self.ended && self.stream.total_out() == self.expected
    }
}

/// Returns the need of a palette, and the number of bytes of all rows: a filter byte and the pixels of each (section 7.2),
/// in each of the seven passes of an interlaced picture (section 8.1).
fn check_header(header: &Chunk<'_>, file: &[u8]) -> Result<(Palette, u64), PictureError> {
    let mut data = header.data;
    if &header.kind != b"IHDR" || data.len() != 13 {
        return Err(PictureError::Broken);
    }
    let width = u32::from_be_bytes(take_array(&mut data)?);
    let height = u32::from_be_bytes(take_array(&mut data)?);
    let [depth, colour, compression, filter, interlace] = take_array(&mut data)?;
    let palette = match (colour, depth) {
        (0, 1 | 2 | 4 | 8 | 16) | (4, 8 | 16) => Palette::Forbidden,
        (2 | 6, 8 | 16) => Palette::Optional,
        (3, 1 | 2 | 4 | 8) => Palette::Required,
        _ => return Err(PictureError::Broken),
    };
    if compression != 0 || filter != 0 || interlace > 1 {
        return Err(PictureError::Broken);
    }
    check_size((width, height), file)?;
    let samples = match colour {
        2 => 3,
        4 => 2,
        6 => 4,
        _ => 1,
    };
    let bytes = |width: u32, height: u32| match (u64::from(width), u64::from(height)) {
        (0, _) | (_, 0) => 0,
        (width, height) => height * (1 + (width * samples * u64::from(depth)).div_ceil(8)),
    };
    let passes = PASSES.map(|(left, top, right, down)| {
        bytes(width.saturating_sub(left).div_ceil(right), height.saturating_sub(top).div_ceil(down))
    });
    Ok((palette, if interlace == 0 { bytes(width, height) } else { passes.iter().sum() }))
}

fn read<'a>(rest: &mut &'a [u8]) -> Result<Chunk<'a>, PictureError> {
    let length = usize::try_from(u32::from_be_bytes(take_array(rest)?)).map_err(|_| PictureError::Broken)?;
    let kind: [u8; 4] = take_array(rest)?;
    let data = take(rest, length)?;
    let checksum = take_array(rest)?;
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&kind);
    hasher.update(data);
    if !kind.iter().all(u8::is_ascii_alphabetic) || hasher.finalize().to_be_bytes() != checksum {
        return Err(PictureError::Broken);
    }
    Ok(Chunk { kind, data, checksum })
}

fn write(written: &mut Vec<u8>, chunk: &Chunk<'_>) {
    let length = u32::try_from(chunk.data.len()).unwrap_or(u32::MAX);
    written.extend_from_slice(&length.to_be_bytes());
    written.extend_from_slice(&chunk.kind);
    written.extend_from_slice(chunk.data);
    written.extend_from_slice(&chunk.checksum);
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::ZlibEncoder;

    use super::*;

    fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(kind);
        hasher.update(data);
        let (mut written, checksum) = (Vec::new(), hasher.finalize().to_be_bytes());
        write(&mut written, &Chunk { kind: *kind, data, checksum });
        written
    }

    fn header(width: u32, height: u32, colour: u8) -> Vec<u8> {
        chunk(b"IHDR", &[&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, colour, 0, 0, 0]].concat())
    }

    fn file(chunks: &[Vec<u8>]) -> Vec<u8> {
        [SIGNATURE.to_vec(), chunks.concat()].concat()
    }

    fn deflate(bytes: usize) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&vec![0; bytes]).unwrap();
        encoder.finish().unwrap()
    }

    /// Returns the data of a picture of one row with three bytes.
    fn data() -> Vec<u8> {
        chunk(b"IDAT", &deflate(4))
    }

    /// Returns the data in two chunks.
    fn halves(data: &[u8]) -> [Vec<u8>; 2] {
        let (first, second) = data.split_at(data.len() / 2);
        [chunk(b"IDAT", first), chunk(b"IDAT", second)]
    }

    fn end() -> Vec<u8> {
        chunk(b"IEND", b"")
    }

    #[test]
    fn metadata_is_left_out() {
        let (gamma, clear) = (chunk(b"gAMA", &[0, 0, 1, 2]), chunk(b"tRNS", &[0; 6]));
        let [first, second] = halves(&deflate(2 * (1 + 9)));
        let given = file(&[
            header(3, 2, 2),
            chunk(b"tEXt", b"Comment\0<script>"),
            gamma.clone(),
            chunk(b"eXIf", b"MM"),
            clear.clone(),
            first.clone(),
            second.clone(),
            chunk(b"tIME", &[0; 7]),
            end(),
        ]);
        let clean = file(&[header(3, 2, 2), gamma, clear, first, second, end()]);
        assert_eq!(rewrite(&given).unwrap(), clean);
        assert_eq!(rewrite(&clean).unwrap(), clean);
    }

    #[test]
    fn broken_structure_is_rejected() {
        let palette = || chunk(b"PLTE", &[0; 6]);
        let mut wrong_checksum = file(&[header(1, 1, 2), data(), end()]);
        wrong_checksum[17] ^= 1;
        for broken in [
            file(&[]),
            file(&[data(), end()]),
            file(&[header(1, 1, 2), end()]),
            file(&[header(1, 1, 2), data()]),
            file(&[header(1, 1, 2), header(1, 1, 2), data(), end()]),
            file(&[header(1, 1, 2), data(), chunk(b"tIME", b""), data(), end()]),
            file(&[header(1, 1, 2), chunk(b"ABCD", b""), data(), end()]),
            file(&[header(1, 1, 3), data(), end()]),
            file(&[header(1, 1, 3), palette(), palette(), data(), end()]),
            file(&[header(1, 1, 0), palette(), data(), end()]),
            file(&[header(1, 1, 2), chunk(b"PLTE", &[0; 4]), data(), end()]),
            file(&[header(1, 1, 5), data(), end()]),
            file(&[header(0, 1, 2), data(), end()]),
            file(&[header(1, 1, 2), data(), chunk(b"IEND", b"x")]),
            file(&[header(1, 1, 2), chunk(b"IDAT", b"not deflated"), end()]),
            file(&[header(1, 1, 2), chunk(b"IDAT", &deflate(3)), end()]),
            file(&[header(1, 1, 2), chunk(b"IDAT", &deflate(5)), end()]),
            file(&[header(1, 1, 2), chunk(b"IDAT", &[&deflate(4)[..], b"x"].concat()), end()]),
            file(&[header(1, 1, 2), halves(&deflate(4))[0].clone(), end()]),
            wrong_checksum,
        ] {
            assert_eq!(rewrite(&broken), Err(PictureError::Broken), "{broken:?}");
        }
        let whole = file(&[header(3, 1, 3), palette(), data(), end()]);
        assert_eq!(rewrite(&whole).unwrap(), whole);
        for length in SIGNATURE.len()..whole.len() {
            assert_eq!(rewrite(&whole[..length]), Err(PictureError::Broken), "{length}");
        }
    }

    #[test]
    fn data_after_the_end_is_rejected() {
        let whole = file(&[header(1, 1, 2), data(), end()]);
        let followed = |by: &[u8]| rewrite(&[&whole, by].concat());
        assert_eq!(followed(b"PK\x03\x04 archive"), Err(PictureError::TrailingData));
        assert_eq!(followed(&[0, 0]).unwrap(), whole);
    }

    #[test]
    fn interlaced_and_deep_pictures_have_their_size() {
        let of = |colour, depth, interlace, bytes| {
            let header = [&5_u32.to_be_bytes()[..], &3_u32.to_be_bytes(), &[depth, colour, 0, 0, interlace]].concat();
            rewrite(&file(&[chunk(b"IHDR", &header), chunk(b"IDAT", &deflate(bytes)), end()]))
        };
        for (colour, depth, interlace, bytes) in [
            (0, 1, 0, 3 * (1 + 1)),
            (0, 16, 0, 3 * (1 + 10)),
            (4, 8, 0, 3 * (1 + 10)),
            (6, 16, 0, 3 * (1 + 40)),
            // The passes have 1x1, 1x1, none, 1x1, 3x1, 2x2 and 5x1 pixels.
            (2, 8, 1, 4 + 4 + 4 + (1 + 9) + 2 * (1 + 6) + (1 + 15)),
        ] {
            assert!(of(colour, depth, interlace, bytes).is_ok(), "{colour} {depth} {interlace}");
            assert_eq!(of(colour, depth, interlace, bytes + 1), Err(PictureError::Broken));
            assert_eq!(of(colour, depth, interlace, bytes - 1), Err(PictureError::Broken));
        }
    }

    #[test]
    fn sides_are_limited() {
        let of = |width: u32, height: u32| {
            let rows = u64::from(height.min(8000)) * (1 + 3 * u64::from(width.min(8000)));
            let data = deflate(usize::try_from(rows.min(100_000)).unwrap());
            rewrite(&file(&[header(width, height, 2), chunk(b"IDAT", &data), end()]))
        };
        assert!(of(8000, 1).is_ok() && of(1, 8000).is_ok());
        for (width, height) in [(8001, 1), (1, 8001), (u32::MAX, u32::MAX)] {
            assert_eq!(of(width, height), Err(PictureError::TooManyPixels));
        }
        assert_eq!(of(8000, 8000), Err(PictureError::Bomb));
    }
}
