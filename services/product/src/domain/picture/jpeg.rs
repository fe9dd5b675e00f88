//! JPEG files.

use super::{PictureError, check_end, check_size, take, take_array};

/// Orientation that is no rotation and no reflection.
const UPRIGHT: u16 = 1;
/// Beginning of the segment that announces further pictures.
const MULTIPLE_PICTURES: &[u8] = b"MPF\0";
/// Number of the tag with the orientation (Exif 2.32, section 4.6.4).
const ORIENTATION: u16 = 0x0112;
/// Type of a value of 16 bits.
const SHORT: u16 = 3;

/// Returns the file without application segments and comments. An orientation other than upright is kept, and Adobe's
/// marker, without which a reader takes the colours for others. A camera's further pictures, which follow the end of the
/// first and are announced in it (CIPA DC-007, Multi-Picture Format), are left out.
pub(super) fn rewrite(file: &[u8]) -> Result<Vec<u8>, PictureError> {
    let mut rest = file.get(2..).ok_or(PictureError::Broken)?;
    let mut written = Vec::with_capacity(file.len());
    let (mut orientation, mut framed, mut scanned, mut multiple) = (None, false, false, false);
    loop {
        let marker = read_marker(&mut rest)?;
        if marker == 0xd9 {
            break;
        }
        let length: [u8; 2] = take_array(&mut rest)?;
        let length = usize::from(u16::from_be_bytes(length));
        let data = take(&mut rest, length.checked_sub(2).ok_or(PictureError::Broken)?)?;
        match marker {
            // Start of the frame. Height and width follow the precision.
            0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf => {
                let [_, h1, h0, w1, w0, components, ..] = *data else { return Err(PictureError::Broken) };
                if framed || components == 0 || data.len() != 6 + 3 * usize::from(components) {
                    return Err(PictureError::Broken);
                }
                let size = (u16::from_be_bytes([w1, w0]).into(), u16::from_be_bytes([h1, h0]).into());
                check_size(size, file)?;
                framed = true;
            }
            0xda => {
                let components = data.first().copied().map_or(0, usize::from);
                if !framed || components == 0 || data.len() != 4 + 2 * components {
                    return Err(PictureError::Broken);
                }
                scanned = true;
            }
            // Huffman, arithmetic and quantization tables, restart interval.
            0xc4 | 0xcc | 0xdb | 0xdd => {}
            0xe1 if orientation.is_none() => {
                orientation = exif_orientation(data);
                continue;
            }
            0xee if data.len() == 12 && data.starts_with(b"Adobe") => {}
            0xe2 if data.starts_with(MULTIPLE_PICTURES) => {
                multiple = true;
                continue;
            }
            0xe0..=0xef | 0xfe => continue,
            _ => return Err(PictureError::Broken),
        }
        write_segment(&mut written, marker, data);
        if marker == 0xda {
            written.extend_from_slice(take_scan(&mut rest)?);
        }
    }
    if !scanned {
        return Err(PictureError::Broken);
    }
    if !multiple {
        check_end(rest)?;
    }
    let mut whole = vec![0xff, 0xd8];
    if let Some(orientation) = orientation.filter(|orientation| *orientation != UPRIGHT) {
        write_segment(&mut whole, 0xe1, &minimal_exif(orientation));
    }
    whole.append(&mut written);
    whole.extend_from_slice(&[0xff, 0xd9]);
    Ok(whole)
}

/// Reads a marker, before which any number of fill bytes may stand.
fn read_marker(rest: &mut &[u8]) -> Result<u8, PictureError> {
    let [0xff] = take_array(rest)? else { return Err(PictureError::Broken) };
    loop {
        match take_array(rest)? {
            [0xff] => {}
            [marker] => return Ok(marker),
        }
    }
}

/// Takes the compressed data up to the next marker. Within it, 0xff is followed by 0 or is a restart marker.
fn take_scan<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], PictureError> {
    let is_end = |pair: &[u8]| pair[0] == 0xff && !matches!(pair[1], 0 | 0xd0..=0xd7);
    let end = rest.windows(2).position(is_end).ok_or(PictureError::Broken)?;
    take(rest, end)
}

fn write_segment(written: &mut Vec<u8>, marker: u8, data: &[u8]) {
    let length = u16::try_from(data.len() + 2).unwrap_or(u16::MAX);
    written.extend_from_slice(&[0xff, marker]);
    written.extend_from_slice(&length.to_be_bytes());
    written.extend_from_slice(data);
}

/// Returns the orientation in the first directory of Exif data, if it has a valid one.
fn exif_orientation(data: &[u8]) -> Option<u16> {
    let tiff = data.strip_prefix(b"Exif\0\0")?;
    let little = match tiff.get(..4)? {
        b"II*\0" => true,
        b"MM\0*" => false,
        _ => return None,
    };
    let short = |at: usize| {
        let bytes: [u8; 2] = tiff.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
    };
    let long = |at: usize| {
        let bytes: [u8; 4] = tiff.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(if little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
    };
    let directory = usize::try_from(long(4)?).ok()?;
    let entries = (0..usize::from(short(directory)?)).map(|entry| directory + 2 + 12 * entry);
    let found = entries.into_iter().find(|entry| short(*entry) == Some(ORIENTATION))?;
    let is_short = short(found + 2)? == SHORT && long(found + 4)? == 1;
    short(found + 8).filter(|orientation| is_short && (1..=8).contains(orientation))
}

/// Returns Exif data with an orientation only: a header, a directory with one entry, and no further directory.
fn minimal_exif(orientation: u16) -> Vec<u8> {
    let mut data = b"Exif\0\0MM\0*\0\0\0\x08\0\x01".to_vec();
    for field in [ORIENTATION, SHORT, 0, 1, orientation, 0, 0, 0] {
        data.extend_from_slice(&field.to_be_bytes());
    }
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(marker: u8, data: &[u8]) -> Vec<u8> {
        let mut written = Vec::new();
        write_segment(&mut written, marker, data);
        written
    }

    fn frame(width: u16, height: u16) -> Vec<u8> {
        let data = [&[8][..], &height.to_be_bytes(), &width.to_be_bytes(), &[1, 1, 0x11, 0]].concat();
        segment(0xc0, &data)
    }

    fn scan() -> Vec<u8> {
        [segment(0xda, &[1, 1, 0, 0, 63, 0]), vec![1, 0xff, 0, 2, 0xff, 0xd0, 3]].concat()
    }

    fn file(segments: &[Vec<u8>]) -> Vec<u8> {
        [vec![0xff, 0xd8], segments.concat(), vec![0xff, 0xd9]].concat()
    }

    fn exif(little: bool, orientation: u16) -> Vec<u8> {
        let entries = [(0x010f, 2, 3, 0), (ORIENTATION, SHORT, 1, orientation)];
        let short = |value: u16| if little { value.to_le_bytes() } else { value.to_be_bytes() };
        let long = |value: u32| if little { value.to_le_bytes() } else { value.to_be_bytes() };
        let mut data = if little { b"Exif\0\0II*\0".to_vec() } else { b"Exif\0\0MM\0*".to_vec() };
        data.extend(long(8));
        data.extend(short(2));
        for (tag, kind, count, value) in entries {
            data.extend([short(tag), short(kind)].concat());
            data.extend(long(count));
            data.extend([short(value), short(0)].concat());
        }
        data.extend(b"\0\0\0\0GPS 52.5 13.4");
        segment(0xe1, &data)
    }

    #[test]
    fn metadata_is_left_out() {
        let adobe = segment(0xee, b"Adobe\0\x64\0\0\0\0\x01");
        let tables = segment(0xdb, &[0; 65]);
        let given = file(&[
            segment(0xe0, b"JFIF\0\x01\x02\0\0\x01\0\x01\0\0"),
            segment(0xfe, b"<script>"),
            adobe.clone(),
            vec![0xff, 0xff],
            tables.clone(),
            frame(3, 2),
            segment(0xed, b"Photoshop"),
            scan(),
            segment(0xc4, &[0; 17]),
            segment(0xe1, b"http://ns.adobe.com/xap/1.0/\0<x/>"),
            scan(),
        ]);
        let clean = file(&[adobe, tables, frame(3, 2), scan(), segment(0xc4, &[0; 17]), scan()]);
        assert_eq!(rewrite(&given).unwrap(), clean);
        assert_eq!(rewrite(&clean).unwrap(), clean);
    }

    #[test]
    fn data_after_the_end_is_rejected_unless_it_is_announced() {
        let clean = file(&[frame(3, 2), scan()]);
        let followed = |by: &[u8]| rewrite(&[&clean, by].concat());
        assert_eq!(followed(b"<html><script>alert(1)</script>"), Err(PictureError::TrailingData));
        assert_eq!(followed(&[0; 3]).unwrap(), clean);
        let camera = file(&[segment(0xe2, b"MPF\0MM\0*"), frame(3, 2), scan()]);
        assert_eq!(rewrite(&[camera, clean.clone()].concat()).unwrap(), clean);
    }

    #[test]
    fn orientation_is_kept() {
        for orientation in 2..=8 {
            for little in [true, false] {
                let clean = rewrite(&file(&[exif(little, orientation), frame(3, 2), scan()])).unwrap();
                let expected = file(&[segment(0xe1, &minimal_exif(orientation)), frame(3, 2), scan()]);
                assert_eq!(clean, expected, "{orientation} {little}");
                assert_eq!(rewrite(&clean).unwrap(), clean, "{orientation}");
            }
        }
        for other in [0, 1, 9] {
            let clean = rewrite(&file(&[exif(true, other), frame(3, 2), scan()])).unwrap();
            assert_eq!(clean, file(&[frame(3, 2), scan()]), "{other}");
        }
        let wild = segment(0xe1, b"Exif\0\0II*\0\xff\xff\xff\xff");
        assert_eq!(rewrite(&file(&[wild, frame(3, 2), scan()])).unwrap(), file(&[frame(3, 2), scan()]));
    }

    #[test]
    fn broken_structure_is_rejected() {
        for broken in [
            file(&[]),
            file(&[frame(1, 1)]),
            file(&[scan(), frame(1, 1)]),
            file(&[frame(1, 1), frame(1, 1), scan()]),
            file(&[frame(0, 1), scan()]),
            file(&[frame(1, 0), scan()]),
            file(&[segment(0xc0, &[8, 0, 1, 0, 1, 3, 1]), scan()]),
            file(&[segment(0xde, b"x"), frame(1, 1), scan()]),
            file(&[vec![0xff, 0xe0, 0, 1], frame(1, 1), scan()]),
            file(&[b"text".to_vec(), frame(1, 1), scan()]),
            file(&[frame(1, 1), scan(), b"\xff\xd8".to_vec()]),
        ] {
            assert_eq!(rewrite(&broken), Err(PictureError::Broken), "{broken:?}");
        }
        let whole = file(&[frame(1, 1), scan()]);
        for length in 2..whole.len() {
            assert_eq!(rewrite(&whole[..length]), Err(PictureError::Broken), "{length}");
        }
    }

    #[test]
    fn sides_are_limited() {
        let of = |width, height| rewrite(&file(&[frame(width, height), scan()]));
        assert!(of(8000, 1).is_ok() && of(1, 8000).is_ok());
        assert_eq!(of(8000, 8000), Err(PictureError::Bomb));
        assert_eq!(of(8001, 1), Err(PictureError::TooManyPixels));
        assert_eq!(of(1, u16::MAX), Err(PictureError::TooManyPixels));
    }
}
