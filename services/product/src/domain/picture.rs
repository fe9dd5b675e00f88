//! Uploaded pictures: their type, size and content, read from the container without decoding.
//!
//! A picture is rewritten from the parts of its container that show it: metadata and unknown parts are left out, and data
//! after its end is rejected, so no other file survives in it. No pixel is decoded.

mod jpeg;
mod png;
mod webp;

use sha2::{Digest, Sha256};

/// Maximum size of an uploaded file, in bytes (5 MiB).
pub const MAX_PICTURE_BYTES: usize = 5 * 1024 * 1024;
/// Maximum width and height, in pixels.
const MAX_SIDE: u32 = 8000;
/// Number of pixels above which a picture must not be compressed further than [`MAX_RATIO`]: 32 MiB of colours.
const UNCHECKED_PIXELS: u64 = 11_000_000;
/// Maximum ratio of a large picture's colours, three bytes a pixel, to its file. Photos stay below 50, and DEFLATE reaches
/// 1032 (<https://zlib.net/zlib_tech.html>).
const MAX_RATIO: u64 = 200;
/// Length of the digest in a name, in characters.
const DIGEST_CHARS: usize = 64;

/// Picture without metadata.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    /// Name by content.
    pub name: PictureName,
    /// Content of the file.
    pub bytes: Vec<u8>,
}

/// Name of a picture: the SHA-256 digest of its content in hexadecimal digits, and the suffix of its format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PictureName {
    text: String,
    format: PictureFormat,
}

/// File format of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PictureFormat {
    /// Picture format: JPEG (ITU-T T.81).
    Jpeg,
    /// Picture format: PNG (ISO/IEC 15948).
    Png,
    /// Picture format: WebP (RFC 9649).
    WebP,
}

/// Reason why a file is no acceptable picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PictureError {
    /// Picture error: content of another type.
    #[error("The picture must be a JPEG, PNG or WebP file")]
    UnknownFormat,
    /// Container that is truncated or breaks the rules of its format.
    #[error("must be an intact picture")]
    Broken,
    /// Picture error: decompression bomb, a small file that takes much memory to show.
    #[error("must not be a large picture that expands to more than {MAX_RATIO} times its size")]
    Bomb,
    /// Data after the end of the picture, such as another file.
    #[error("must not contain data after the end of the picture")]
    TrailingData,
    /// Picture error: several pictures in one file.
    #[error("must not be animated")]
    Animated,
    /// Picture error: side of more than [`MAX_SIDE`] pixels.
    #[error("must be at most {MAX_SIDE} pixels wide and high")]
    TooManyPixels,
}

impl PictureFormat {
    const ALL: [Self; 3] = [Self::Jpeg, Self::Png, Self::WebP];

    /// Returns the format of a file's content, by its first bytes.
    fn of(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0xff, 0xd8, 0xff, ..] => Some(Self::Jpeg),
            _ if bytes.starts_with(&png::SIGNATURE) => Some(Self::Png),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Self::WebP),
            _ => None,
        }
    }

    /// Returns the media type.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::WebP => "image/webp",
        }
    }

    const fn suffix(self) -> &'static str {
        match self {
            Self::Jpeg => ".jpg",
            Self::Png => ".png",
            Self::WebP => ".webp",
        }
    }
}

impl Picture {
    /// Reads an uploaded file and leaves out all that does not show the picture.
    ///
    /// # Errors
    /// If the file has another format, is broken, is animated, has too many pixels, or contains further data.
    pub fn parse(file: &[u8]) -> Result<Self, PictureError> {
        let format = PictureFormat::of(file).ok_or(PictureError::UnknownFormat)?;
        let bytes = match format {
            PictureFormat::Jpeg => jpeg::rewrite(file),
            PictureFormat::Png => png::rewrite(file),
            PictureFormat::WebP => webp::rewrite(file),
        }?;
        let digest = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        Ok(Self { name: PictureName { text: digest + format.suffix(), format }, bytes })
    }
}

impl PictureName {
    /// Parses a name; returns `None` for any other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (digest, suffix) = text.split_at_checked(DIGEST_CHARS)?;
        let format = PictureFormat::ALL.into_iter().find(|format| format.suffix() == suffix)?;
        let is_digest = digest.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        is_digest.then(|| Self { text: text.to_owned(), format })
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the format of the file.
    #[must_use]
    pub const fn format(&self) -> PictureFormat {
        self.format
    }

    /// Returns the path of the picture's URL.
    #[must_use]
    pub fn path(&self) -> String {
        format!("/media/{}", self.text)
    }
}

/// Checks the width and height of a picture against the limits and the size of its file.
fn check_size((width, height): (u32, u32), file: &[u8]) -> Result<(), PictureError> {
    if width == 0 || height == 0 {
        return Err(PictureError::Broken);
    }
    if width > MAX_SIDE || height > MAX_SIDE {
        return Err(PictureError::TooManyPixels);
    }
    let pixels = u64::from(width * height);
    let size = u64::try_from(file.len()).unwrap_or(u64::MAX);
    if pixels > UNCHECKED_PIXELS && 3 * pixels > MAX_RATIO * size {
        return Err(PictureError::Bomb);
    }
    Ok(())
}

/// Checks that only zeros, the padding of some programs, follow the end of a picture.
fn check_end(rest: &[u8]) -> Result<(), PictureError> {
    if rest.iter().all(|byte| *byte == 0) { Ok(()) } else { Err(PictureError::TrailingData) }
}

/// Takes the first `length` bytes of the rest of a file.
fn take<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], PictureError> {
    let (taken, after) = rest.split_at_checked(length).ok_or(PictureError::Broken)?;
    *rest = after;
    Ok(taken)
}

/// Takes the next bytes of the rest of a file as an array.
fn take_array<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], PictureError> {
    let (taken, after) = rest.split_first_chunk::<N>().ok_or(PictureError::Broken)?;
    *rest = after;
    Ok(*taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn type_is_found_by_content() {
        for other in [
            &b""[..],
            b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>",
            b"<!doctype html><script>alert(1)</script>",
            b"GIF89a",
            b"BM",
            b"%PDF-1.7",
            b"RIFF\x04\0\0\0WAVE",
            b"\xff\xd8",
            b"\x89PNG",
        ] {
            assert_eq!(Picture::parse(other).err(), Some(PictureError::UnknownFormat), "{other:?}");
        }
    }

    #[test]
    fn large_picture_must_not_be_compressed_much() {
        assert_eq!(check_size((8000, 8000), &[0; 960_000]), Ok(()));
        assert_eq!(check_size((8000, 8000), &[0; 950_000]), Err(PictureError::Bomb));
        assert_eq!(check_size((4000, 2750), &[0; 100]), Ok(()));
        assert_eq!(check_size((4000, 2751), &[0; 100]), Err(PictureError::Bomb));
    }

    #[test]
    fn name_is_a_digest_with_the_suffix_of_a_format() {
        let digest = "0123456789abcdef".repeat(4);
        for suffix in [".jpg", ".png", ".webp"] {
            let name = PictureName::parse(&format!("{digest}{suffix}")).unwrap();
            assert_eq!(name.path(), format!("/media/{digest}{suffix}"));
        }
        let upper = digest.to_uppercase();
        for invalid in [
            "",
            "a.png",
            &digest,
            &format!("{digest}.svg"),
            &format!("{digest}.png/"),
            &format!("{upper}.png"),
            &format!("../{}.png", &digest[3..]),
            &format!("{}ä.png", &digest[1..]),
        ] {
            assert_eq!(PictureName::parse(invalid), None, "{invalid}");
        }
    }
}
