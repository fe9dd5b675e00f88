//! Form with a picture.

use std::error::Error as StdError;

use axum::extract::Request;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue};
use common::http::{ApiError, Validator};
use contracts::ErrorCode;
use http_body_util::LengthLimitError;
use multer::{Constraints, Error, Multipart, SizeLimit};
use utoipa::ToSchema;

use super::add_image::MAX_ALT_TEXT_CHARS;
use crate::domain::MAX_PICTURE_BYTES;
use crate::service::Upload;

/// Maximum size of a field other than the file, in bytes.
const MAX_FIELD_BYTES: u64 = 8 * 1024;

/// Form with a picture.
#[derive(ToSchema)]
#[schema(as = ImageUpload)]
#[expect(dead_code, reason = "the form is described by its type, and read field by field")]
pub(super) struct ImageUploadForm {
    /// JPEG, PNG or WebP file of at most 5 MiB, and 8000 pixels a side.
    #[schema(format = Binary, value_type = String)]
    file: Vec<u8>,
    #[schema(max_length = 255)]
    #[schema(rename = "altText")]
    alt_text: Option<String>,
    /// Replacement of the product's current primary picture.
    #[schema(default = false)]
    primary: Option<bool>,
}

/// Returns true if the body is a form with files.
pub(super) fn is_form(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    let essence = value.split(|byte| *byte == b';').next().unwrap_or_default();
    essence.trim_ascii().eq_ignore_ascii_case(b"multipart/form-data")
}

/// Reads the form of a request. Unknown fields are ignored.
///
/// # Errors
/// A malformed form, a file that is too large, and invalid fields.
pub(super) async fn read(request: Request) -> Result<Upload, ApiError> {
    let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let boundary = multer::parse_boundary(content_type.unwrap_or_default()).map_err(unreadable)?;
    let file_limit = u64::try_from(MAX_PICTURE_BYTES).unwrap_or(u64::MAX);
    let limits = SizeLimit::new().per_field(MAX_FIELD_BYTES).for_field("file", file_limit);
    let body = request.into_body().into_data_stream();
    let mut form = Multipart::with_constraints(body, boundary, Constraints::new().size_limit(limits));
    let (mut file, mut alt_text, mut primary) = (None, None, None);
    let mut checks = Validator::new();
    while let Some(field) = form.next_field().await.map_err(unreadable)? {
        let name = field.name().unwrap_or_default().to_owned();
        let content = field.bytes().await.map_err(unreadable)?;
        let repeated = match name.as_str() {
            "file" => file.replace(content).is_some(),
            "altText" => alt_text.replace(content).is_some(),
            "primary" => primary.replace(content).is_some(),
            _ => false,
        };
        if repeated {
            checks.fail(name, "must be given once");
        }
    }
    let file = checks.required("file", file);
    let alt_text = alt_text.and_then(|text| match String::from_utf8(text.to_vec()) {
        Ok(text) => checks.optional_text("altText", Some(text), MAX_ALT_TEXT_CHARS),
        Err(_) => {
            checks.fail("altText", "must be valid UTF-8");
            None
        }
    });
    let primary = match primary.as_deref() {
        None | Some(b"" | b"false") => false,
        Some(b"true") => true,
        Some(_) => {
            checks.fail("primary", "must be true or false");
            false
        }
    };
    checks.finish(file.map(|file| Upload { file, alt_text, primary }))
}

fn unreadable(error: Error) -> ApiError {
    match error {
        Error::FieldSizeExceeded { field_name: Some(name), .. } if name != "file" => {
            ApiError::new(ErrorCode::PayloadTooLarge, format!("The field {name} is over the limit of 8 KiB"))
        }
        Error::FieldSizeExceeded { .. } | Error::StreamSizeExceeded { .. } => too_large(),
        Error::StreamReadFailed(cause) if is_too_large(&*cause) => too_large(),
        error => ApiError::new(ErrorCode::MalformedBody, "The body is not a valid form").because(error),
    }
}

fn too_large() -> ApiError {
    let limit = MAX_PICTURE_BYTES / 1024 / 1024;
    ApiError::new(ErrorCode::PayloadTooLarge, format!("The file is over the limit of {limit} MiB"))
}

fn is_too_large(error: &(dyn StdError + 'static)) -> bool {
    error.is::<LengthLimitError>() || error.source().is_some_and(is_too_large)
}
