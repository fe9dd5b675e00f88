//! PNG files.

use super::{PictureError, check_size, take, take_array};

/// First bytes of each file.
pub(super) const SIGNATURE: [u8; 8] = *b"\x89PNG\r\n\x1a\n";
/// Chunks beside the critical ones that decide about colours and transparency.
const COLOURS: [&[u8; 4]; 7] = [b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"cICP", b"sBIT"];

/// Chunk with its length and checksum as in the file.
struct Chunk<'a> {
    kind: [u8; 4],
    data: &'a [u8],
    checksum: [u8; 4],
}

/// Returns the file with its critical chunks and those of colours, up to its end.
pub(super) fn rewrite(file: &[u8]) -> Result<Vec<u8>, PictureError> {
    let mut rest = file.get(SIGNATURE.len()..).ok_or(PictureError::Broken)?;
    let header = read(&mut rest)?;
    let palette = check_header(&header)?;
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
            b"IDAT" if data != Data::Ended && (has_palette || palette != Palette::Required) => data = Data::Begun,
            b"IEND" if data == Data::Ended && chunk.data.is_empty() => {
                write(&mut written, &chunk);
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

fn check_header(header: &Chunk<'_>) -> Result<Palette, PictureError> {
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
    check_size(width, height)?;
    Ok(palette)
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

    fn data() -> Vec<u8> {
        chunk(b"IDAT", b"compressed")
    }

    fn end() -> Vec<u8> {
        chunk(b"IEND", b"")
    }

    #[test]
    fn metadata_and_what_follows_the_end_are_left_out() {
        let (gamma, clear) = (chunk(b"gAMA", &[0, 0, 1, 2]), chunk(b"tRNS", &[0; 6]));
        let given = file(&[
            header(3, 2, 2),
            chunk(b"tEXt", b"Comment\0<script>"),
            gamma.clone(),
            chunk(b"eXIf", b"MM"),
            clear.clone(),
            data(),
            data(),
            chunk(b"tIME", &[0; 7]),
            end(),
            b"PK\x03\x04 archive <script>".to_vec(),
        ]);
        let clean = file(&[header(3, 2, 2), gamma, clear, data(), data(), end()]);
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
            wrong_checksum,
        ] {
            assert_eq!(rewrite(&broken), Err(PictureError::Broken), "{broken:?}");
        }
        let whole = file(&[header(1, 1, 3), palette(), data(), end()]);
        assert_eq!(rewrite(&whole).unwrap(), whole);
        for length in SIGNATURE.len()..whole.len() {
            assert_eq!(rewrite(&whole[..length]), Err(PictureError::Broken), "{length}");
        }
    }

    #[test]
    fn sides_are_limited() {
        let of = |width, height| rewrite(&file(&[header(width, height, 2), data(), end()]));
        assert!(of(8000, 8000).is_ok());
        for (width, height) in [(8001, 1), (1, 8001), (u32::MAX, u32::MAX)] {
            assert_eq!(of(width, height), Err(PictureError::TooManyPixels));
        }
    }
}
