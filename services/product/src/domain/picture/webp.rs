//! WebP files.

use super::{PictureError, check_end, check_size, take, take_array};

/// Flags of the extended format: a colour profile and transparency.
const PROFILE: u8 = 0x20;
const ALPHA: u8 = 0x10;
const ANIMATION: u8 = 0x02;

/// Width and height, in pixels.
type Size = (u32, u32);

/// Returns the file with its picture, transparency and colour profile.
pub(super) fn rewrite(file: &[u8]) -> Result<Vec<u8>, PictureError> {
    let mut rest = file.get(4..).ok_or(PictureError::Broken)?;
    let length = usize::try_from(u32::from_le_bytes(take_array(&mut rest)?)).map_err(|_| PictureError::Broken)?;
    let mut chunks = take(&mut rest, length)?;
    check_end(rest)?;
    take(&mut chunks, 4)?;
    let parts = Parts::read(chunks)?;
    let (kind, data, size) = parts.picture.ok_or(PictureError::Broken)?;
    check_size(size, file)?;
    let mut written = b"WEBP".to_vec();
    if let Some((canvas, flags)) = parts.extended {
        if canvas != size {
            return Err(PictureError::Broken);
        }
        let flags = (flags & ALPHA) | if parts.profile.is_some() { PROFILE } else { 0 };
        let [w0, w1, w2, _] = (size.0 - 1).to_le_bytes();
        let [h0, h1, h2, _] = (size.1 - 1).to_le_bytes();
        write(&mut written, *b"VP8X", &[flags, 0, 0, 0, w0, w1, w2, h0, h1, h2]);
        if let Some(profile) = parts.profile {
            write(&mut written, *b"ICCP", profile);
        }
        if let Some(alpha) = parts.alpha {
            write(&mut written, *b"ALPH", alpha);
        }
    }
    write(&mut written, kind, data);
    let length = u32::try_from(written.len()).map_err(|_| PictureError::Broken)?;
    Ok([&b"RIFF"[..], &length.to_le_bytes(), &written].concat())
}

/// Chunks of a file that show its picture.
#[derive(Default)]
struct Parts<'a> {
    extended: Option<(Size, u8)>,
    profile: Option<&'a [u8]>,
    alpha: Option<&'a [u8]>,
    picture: Option<([u8; 4], &'a [u8], Size)>,
}

impl<'a> Parts<'a> {
    fn read(mut rest: &'a [u8]) -> Result<Self, PictureError> {
        let mut parts = Self::default();
        let mut is_first = true;
        while !rest.is_empty() {
            let kind: [u8; 4] = take_array(&mut rest)?;
            let length = u32::from_le_bytes(take_array(&mut rest)?);
            let length = usize::try_from(length).map_err(|_| PictureError::Broken)?;
            let data = take(&mut rest, length)?;
            if !length.is_multiple_of(2) {
                take(&mut rest, 1)?;
            }
            let repeated = match &kind {
                b"VP8X" if is_first => parts.extended.replace(read_extended(data)?).is_some(),
                b"VP8 " | b"VP8L" if is_first || parts.extended.is_some() => {
                    let size = if &kind == b"VP8 " { lossy_size(data)? } else { lossless_size(data)? };
                    parts.picture.replace((kind, data, size)).is_some()
                }
                b"ALPH" if parts.extended.is_some() => parts.alpha.replace(data).is_some(),
                b"ICCP" if parts.extended.is_some() => parts.profile.replace(data).is_some(),
                b"ANIM" | b"ANMF" => return Err(PictureError::Animated),
                _ if is_first || kind.starts_with(b"VP8") => return Err(PictureError::Broken),
                _ => false,
            };
            if repeated {
                return Err(PictureError::Broken);
            }
            is_first = false;
        }
        Ok(parts)
    }
}

fn read_extended(data: &[u8]) -> Result<(Size, u8), PictureError> {
    let [flags, _, _, _, w0, w1, w2, h0, h1, h2] = *data else { return Err(PictureError::Broken) };
    if flags & ANIMATION != 0 {
        return Err(PictureError::Animated);
    }
    let side = |bytes| u32::from_le_bytes(bytes) + 1;
    Ok(((side([w0, w1, w2, 0]), side([h0, h1, h2, 0])), flags))
}

/// Returns the size in the header of a lossy picture (RFC 6386, section 9.1).
fn lossy_size(data: &[u8]) -> Result<Size, PictureError> {
    let [tag, _, _, 0x9d, 0x01, 0x2a, w0, w1, h0, h1, ..] = *data else { return Err(PictureError::Broken) };
    if tag & 1 != 0 {
        return Err(PictureError::Broken);
    }
    let side = |bytes| u32::from(u16::from_le_bytes(bytes) & 0x3fff);
    Ok((side([w0, w1]), side([h0, h1])))
}

/// Returns the size in the header of a lossless picture (RFC 9649, section 3.4).
fn lossless_size(data: &[u8]) -> Result<Size, PictureError> {
    let [0x2f, b0, b1, b2, b3, ..] = *data else { return Err(PictureError::Broken) };
    let bits = u32::from_le_bytes([b0, b1, b2, b3]);
    // The last three bits are the version.
    if bits >> 29 != 0 {
        return Err(PictureError::Broken);
    }
    Ok(((bits & 0x3fff) + 1, ((bits >> 14) & 0x3fff) + 1))
}

fn write(written: &mut Vec<u8>, kind: [u8; 4], data: &[u8]) {
    let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
    written.extend_from_slice(&kind);
    written.extend_from_slice(&length.to_le_bytes());
    written.extend_from_slice(data);
    if !data.len().is_multiple_of(2) {
        written.push(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(kind: [u8; 4], data: &[u8]) -> Vec<u8> {
        let mut written = Vec::new();
        write(&mut written, kind, data);
        written
    }

    fn file(chunks: &[Vec<u8>]) -> Vec<u8> {
        let content = [b"WEBP".to_vec(), chunks.concat()].concat();
        [&b"RIFF"[..], &u32::try_from(content.len()).unwrap().to_le_bytes(), &content].concat()
    }

    fn lossy(width: u16, height: u16) -> Vec<u8> {
        let sides = [width.to_le_bytes(), height.to_le_bytes()].concat();
        chunk(*b"VP8 ", &[&[0x10, 0, 0, 0x9d, 0x01, 0x2a][..], &sides, b"odd"].concat())
    }

    fn lossless(width: u32, height: u32) -> Vec<u8> {
        let bits = (width - 1) | ((height - 1) << 14);
        chunk(*b"VP8L", &[&[0x2f][..], &bits.to_le_bytes(), b"data"].concat())
    }

    fn extended(flags: u8, width: u8, height: u8) -> Vec<u8> {
        chunk(*b"VP8X", &[flags, 0, 0, 0, width - 1, 0, 0, height - 1, 0, 0])
    }

    #[test]
    fn metadata_is_left_out() {
        let (profile, alpha) = (chunk(*b"ICCP", b"profile"), chunk(*b"ALPH", b"alpha"));
        let given = file(&[
            extended(PROFILE | ALPHA | 0x0c, 3, 2),
            profile.clone(),
            alpha.clone(),
            lossy(3, 2),
            chunk(*b"EXIF", b"GPS"),
            chunk(*b"XMP ", b"<x/>"),
            chunk(*b"evil", b"<script>"),
        ]);
        let clean = file(&[extended(PROFILE | ALPHA, 3, 2), profile, alpha, lossy(3, 2)]);
        assert_eq!(rewrite(&given).unwrap(), clean);
        for clean in [clean, file(&[lossy(3, 2)]), file(&[lossless(3, 2)]), file(&[extended(0, 3, 2), lossless(3, 2)])]
        {
            assert_eq!(rewrite(&clean).unwrap(), clean);
        }
        let simple = file(&[lossless(3, 2), chunk(*b"EXIF", b"GPS")]);
        assert_eq!(rewrite(&simple).unwrap(), file(&[lossless(3, 2)]));
    }

    #[test]
    fn broken_structure_is_rejected() {
        for broken in [
            file(&[]),
            file(&[chunk(*b"EXIF", b"x"), lossy(1, 1)]),
            file(&[extended(0, 1, 1)]),
            file(&[extended(0, 2, 2), lossy(1, 1)]),
            file(&[extended(0, 1, 1), lossy(1, 1), lossy(1, 1)]),
            file(&[lossy(1, 1), extended(0, 1, 1)]),
            file(&[lossy(0, 1)]),
            file(&[chunk(*b"VP8 ", b"short")]),
            file(&[chunk(*b"VP8 ", &[1, 0, 0, 0x9d, 1, 0x2a, 1, 0, 1, 0])]),
            file(&[chunk(*b"VP8L", &[0x2f, 0, 0, 0, 0x20])]),
            file(&[b"VP8 \xff\xff\xff\xff".to_vec()]),
        ] {
            assert_eq!(rewrite(&broken), Err(PictureError::Broken), "{broken:?}");
        }
        let whole = file(&[lossless(1, 1)]);
        for length in 12..whole.len() {
            assert_eq!(rewrite(&whole[..length]), Err(PictureError::Broken), "{length}");
        }
    }

    #[test]
    fn data_after_the_end_is_rejected() {
        let followed = |by: &[u8]| rewrite(&[&file(&[lossless(3, 2)]), by].concat());
        assert_eq!(followed(b"<script>"), Err(PictureError::TrailingData));
        assert_eq!(followed(&[0]).unwrap(), file(&[lossless(3, 2)]));
    }

    #[test]
    fn animations_are_rejected() {
        for animated in [
            file(&[extended(ANIMATION, 1, 1), lossy(1, 1)]),
            file(&[extended(0, 1, 1), chunk(*b"ANIM", &[0; 6]), lossy(1, 1)]),
        ] {
            assert_eq!(rewrite(&animated), Err(PictureError::Animated));
        }
    }

    #[test]
    fn sides_are_limited() {
        assert!(rewrite(&file(&[lossy(8000, 1)])).is_ok());
        assert!(rewrite(&file(&[lossless(1, 8000)])).is_ok());
        assert_eq!(rewrite(&file(&[lossless(8000, 8000)])), Err(PictureError::Bomb));
        for picture in [lossy(8001, 1), lossy(1, 16383), lossless(1, 8001), lossless(16384, 1)] {
            assert_eq!(rewrite(&file(&[picture])), Err(PictureError::TooManyPixels));
        }
    }
}
