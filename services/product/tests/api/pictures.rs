//! Uploaded pictures and their files.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use testkit::{ApiResponse, ResponseExt as _};

use crate::support::TestService;

const JPEG: &[u8] = include_bytes!("../pictures/rotated.jpg");
const PNG: &[u8] = include_bytes!("../pictures/commented.png");
const LOSSY: &[u8] = include_bytes!("../pictures/lossy.webp");
const LOSSLESS: &[u8] = include_bytes!("../pictures/lossless.webp");
const ANIMATED: &[u8] = include_bytes!("../pictures/animated.webp");
/// Seconds of a day.
const DAY: i64 = 24 * 60 * 60;

fn form(file: &[u8]) -> Form {
    // Neither the name nor the declared type decides.
    Form::new().part("file", Part::bytes(file.to_vec()).file_name("x.html").mime_str("text/html").unwrap())
}

async fn send(service: &TestService, product: i64, token: &str, form: Form) -> ApiResponse {
    let request = service.request(Method::POST, &format!("/api/products/{product}/images")).bearer_auth(token);
    ApiResponse::of(request.multipart(form)).await.unwrap()
}

async fn upload(service: &TestService, product: i64, file: &[u8]) -> ApiResponse {
    send(service, product, &service.admin(), form(file)).await
}

/// Returns the content of a stored picture, and its media type.
async fn stored(service: &TestService, image: &Value) -> (Vec<u8>, String) {
    let response = service.request(Method::GET, image["url"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let media_type = response.headers()["content-type"].to_str().unwrap().to_owned();
    (response.bytes().await.unwrap().to_vec(), media_type)
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// Returns a PNG file whose data inflates to all rows of a picture with three bytes a pixel.
fn png(width: u32, height: u32) -> Vec<u8> {
    let mut data = ZlibEncoder::new(Vec::new(), Compression::best());
    let row = vec![0; 1 + 3 * usize::try_from(width).unwrap()];
    for _ in 0..height.min(8000) {
        data.write_all(&row).unwrap();
    }
    let header = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, 2, 0, 0, 0]].concat();
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    for (kind, data) in [(b"IHDR", header), (b"IDAT", data.finish().unwrap()), (b"IEND", Vec::new())] {
        let body = [&kind[..], &data].concat();
        file.extend(u32::try_from(data.len()).unwrap().to_be_bytes());
        file.extend(&body);
        file.extend(crc32fast::hash(&body).to_be_bytes());
    }
    file
}

#[tokio::test]
async fn each_format_is_stored_without_metadata() {
    let service = TestService::open().await;
    let id = service.product_with_stock(1).await;
    for (file, media_type, suffix) in [
        (JPEG, "image/jpeg", ".jpg"),
        (PNG, "image/png", ".png"),
        (LOSSY, "image/webp", ".webp"),
        (LOSSLESS, "image/webp", ".webp"),
    ] {
        assert!(contains(file, "secret"));
        let image = upload(&service, id, file).await.json(201);
        assert!(image["url"].as_str().unwrap().ends_with(suffix), "{image}");
        let (content, stored_type) = stored(&service, &image).await;
        assert_eq!(stored_type, media_type);
        assert!(!contains(&content, "secret") && content.len() < file.len(), "{image}");
        // An upload of what is stored is the same file.
        assert_eq!(upload(&service, id, &content).await.json(201)["url"], image["url"]);
    }
    assert_eq!(service.files().len(), 4);
    assert_eq!(service.product(id).await["images"].as_array().unwrap().len(), 8);
    let kinds: Vec<_> = service.events().await.into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds[1..], ["product.updated"; 8]);
}

#[tokio::test]
async fn orientation_of_a_photo_is_kept() {
    let service = TestService::open().await;
    let id = service.product_with_stock(1).await;
    let image = upload(&service, id, JPEG).await.json(201);
    let (content, _) = stored(&service, &image).await;
    let exif = b"\xff\xd8\xff\xe1\0\x22Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    assert_eq!(content[..exif.len()], exif[..]);
}

#[tokio::test]
async fn stored_picture_is_served_for_ever_and_does_nothing() {
    let service = TestService::open().await;
    let id = service.product_with_stock(1).await;
    let image = upload(&service, id, PNG).await.json(201);
    let url = image["url"].as_str().unwrap();
    let response = service.get(url).await;
    for (header, value) in [
        ("cache-control", "public, max-age=31536000, immutable"),
        ("content-security-policy", "sandbox; default-src 'none'"),
        ("x-content-type-options", "nosniff"),
        ("content-type", "image/png"),
    ] {
        assert_eq!(response.header(header), Some(value), "{header}");
    }
    let unknown = format!("/media/{}.png", "0".repeat(64));
    for other in [unknown.as_str(), "/media/x", "/media/..%2fproduct.db", "/media/%2e%2e%2fbus.db", &format!("{url}x")]
    {
        service.get(other).await.problem(404, "IMAGE_NOT_FOUND");
    }
    let response = service.request(Method::HEAD, url).send().await.unwrap();
    assert_eq!((response.status().as_u16(), response.headers()["content-type"].as_bytes()), (200, &b"image/png"[..]));
}

#[tokio::test]
async fn form_has_alternative_text_and_primary() {
    let service = TestService::open().await;
    let (id, admin) = (service.product_with_stock(1).await, service.admin());
    let full = form(PNG).text("altText", " From above ").text("primary", "true").text("other", "x");
    let image = send(&service, id, &admin, full).await.json(201);
    assert_eq!((&image["altText"], &image["primary"]), (&json!("From above"), &json!(true)));
    assert_eq!(service.product(id).await["images"], json!([image]));
    for (wrong, field) in [
        (Form::new().text("altText", "x"), "file"),
        (form(PNG).text("altText", "x".repeat(256)), "altText"),
        (form(PNG).text("altText", "a\nb"), "altText"),
        (form(PNG).text("primary", "yes"), "primary"),
        (form(PNG).part("file", Part::bytes(PNG)), "file"),
    ] {
        send(&service, id, &admin, wrong).await.invalid(400, &[field]);
    }
    send(&service, id, &admin, form(PNG).text("altText", "x".repeat(9000))).await.problem(413, "PAYLOAD_TOO_LARGE");
    for (media_type, body) in [
        ("multipart/form-data", "x"),
        ("multipart/form-data; boundary=a", "no form"),
        ("multipart/form-data; boundary=a", "--a\r\ncontent-disposition: form-data; name=file\r\n\r\ncut off"),
    ] {
        let request = service.request(Method::POST, &format!("/api/products/{id}/images")).bearer_auth(&admin);
        let response = ApiResponse::of(request.header("content-type", media_type).body(body)).await;
        response.problem(400, "MALFORMED_BODY");
    }
    assert_eq!(service.files().len(), 1);
}

#[tokio::test]
async fn other_content_is_rejected_and_leaves_no_file() {
    let service = TestService::open().await;
    let id = service.product_with_stock(1).await;
    for other in [
        &b"<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>"[..],
        b"<!doctype html><script>alert(1)</script>",
        b"GIF89a\x01\0\x01\0\0\0\0;",
        b"%PDF-1.7",
        b"",
    ] {
        upload(&service, id, other).await.problem(415, "UNSUPPORTED_MEDIA_TYPE");
    }
    let bomb = png(20_000, 20_000);
    for broken in [&JPEG[..JPEG.len() - 2], &PNG[..PNG.len() - 1], &LOSSY[..LOSSY.len() / 2], ANIMATED, &bomb] {
        upload(&service, id, broken).await.invalid(400, &["file"]);
    }
    upload(&service, 77, PNG).await.problem(404, "PRODUCT_NOT_FOUND");
    let others = [service.token(service.user()), service.service_token()];
    for token in others {
        send(&service, id, &token, form(PNG)).await.problem(403, "FORBIDDEN");
    }
    let path = format!("/api/products/{id}/images");
    ApiResponse::of(service.request(Method::POST, &path).multipart(form(PNG))).await.problem(401, "UNAUTHENTICATED");
    assert_eq!(service.files(), [""; 0]);
    assert_eq!(service.product(id).await["images"], json!([]));
}

#[tokio::test]
async fn file_size_is_limited() {
    let service = TestService::open().await;
    let id = service.product_with_stock(1).await;
    // Larger than other bodies may be.
    let padded = |size: usize| {
        let mut file = PNG.to_vec();
        file.resize(size, 0);
        file
    };
    upload(&service, id, &padded(5 * 1024 * 1024)).await.json(201);
    for size in [5 * 1024 * 1024 + 1, 6 * 1024 * 1024] {
        upload(&service, id, &padded(size)).await.problem(413, "PAYLOAD_TOO_LARGE");
    }
    let path = format!("/api/products/{id}");
    let request = service.request(Method::PATCH, &path).bearer_auth(service.admin()).multipart(form(&padded(300_000)));
    ApiResponse::of(request).await.problem(413, "PAYLOAD_TOO_LARGE");
    assert_eq!(service.files().len(), 1);
}

#[tokio::test]
async fn decompression_bomb_is_rejected() {
    let service = TestService::open().await;
    let id = service.product_with_stock(1).await;
    // 60 MB in 60 KB; 27 MB of data for a picture of one pixel.
    let large = png(8000, 2500);
    assert!(large.len() < 100_000, "{}", large.len());
    let mut small = png(3000, 3000);
    small[16..24].copy_from_slice(&[0, 0, 0, 1, 0, 0, 0, 1]);
    let checksum = crc32fast::hash(&small[12..29]).to_be_bytes();
    small[29..33].copy_from_slice(&checksum);
    for bomb in [large, small] {
        upload(&service, id, &bomb).await.invalid(400, &["file"]);
    }
    assert_eq!(service.files(), [""; 0]);
}

#[tokio::test]
async fn polyglot_file_is_rejected() {
    let service = TestService::open().await;
    let id = service.product_with_stock(1).await;
    for file in [JPEG, PNG, LOSSY] {
        for hidden in ["<html><script>alert(1)</script>", "PK\x03\x04archive", "%PDF-1.7"] {
            upload(&service, id, &[file, hidden.as_bytes()].concat()).await.invalid(400, &["file"]);
        }
    }
    assert_eq!(service.files(), [""; 0]);
    // A comment in front of the picture.
    let script = b"*/=alert(1);/*";
    let comment = [&JPEG[..2], b"\xff\xfe\0\x10", script, &JPEG[2..]].concat();
    let image = upload(&service, id, &comment).await.json(201);
    assert!(!contains(&stored(&service, &image).await.0, "alert"));
}

#[tokio::test]
async fn picture_is_changed_and_moved() {
    let service = TestService::open().await;
    let (id, admin) = (service.product_with_stock(1).await, service.admin());
    let path = format!("/api/products/{id}/images");
    let mut ids = Vec::new();
    for name in ["a", "b", "c"] {
        let body = json!({"url": format!("https://example.com/{name}.png"), "altText": name, "primary": name == "a"});
        ids.push(service.post(&path, &admin, body).await.json(201)["id"].clone());
    }
    let change = async |at: usize, method: Method, body: Value| {
        service.send(method, &format!("{path}/{}", ids[at]), Some(&admin), Some(body)).await
    };
    let order = async || {
        let images = service.product(id).await["images"].clone();
        let names = images.as_array().unwrap().iter().map(|image| image["id"].clone());
        let primary = images.as_array().unwrap().iter().filter(|image| image["primary"] == true).count();
        (names.map(|id| ids.iter().position(|known| *known == id).unwrap()).collect::<Vec<_>>(), primary)
    };
    let changed = change(2, Method::PUT, json!({"altText": "New", "primary": true, "position": 0, "id": 9})).await;
    let expected = json!({"id": ids[2], "url": "https://example.com/c.png", "altText": "New", "primary": true});
    assert_eq!(changed.json(200), expected);
    assert_eq!(order().await, (vec![2, 0, 1], 1));
    let changed = change(2, Method::PATCH, json!({"altText": null, "position": 99})).await.json(200);
    assert_eq!((&changed["altText"], &changed["primary"]), (&Value::Null, &json!(true)));
    assert_eq!(order().await, (vec![0, 1, 2], 1));
    change(2, Method::PUT, json!({"primary": false})).await.json(200);
    change(1, Method::PUT, json!({"position": 0})).await.json(200);
    assert_eq!(order().await, (vec![1, 0, 2], 0));
    let last = service.post(&path, &admin, json!({"url": "https://example.com/d.png"})).await.json(201);
    assert_eq!(service.product(id).await["images"][3], last);
    let (kind, _) = service.events().await.pop().unwrap();
    assert_eq!(kind, "product.updated");

    for (field, wrong) in [
        ("altText", json!("x".repeat(256))),
        ("primary", json!("yes")),
        ("position", json!(-1)),
        ("position", json!("first")),
    ] {
        change(0, Method::PUT, json!({field: wrong})).await.invalid(400, &[field]);
    }
    let other = service.product_with_stock(1).await;
    for elsewhere in [format!("/api/products/{other}/images/{}", ids[0]), format!("{path}/77")] {
        let response = service.send(Method::PUT, &elsewhere, Some(&admin), Some(json!({}))).await;
        response.problem(404, "IMAGE_NOT_FOUND");
    }
    let others = [service.token(service.user()), service.service_token()];
    service.assert_forbidden(Method::PUT, &format!("{path}/{}", ids[0]), Some(json!({})), &others).await;
}

#[tokio::test]
async fn file_is_deleted_a_day_after_its_last_reference() {
    let service = TestService::open().await;
    let (id, other) = (service.product_with_stock(1).await, service.product_with_stock(1).await);
    let image = upload(&service, id, PNG).await.json(201);
    let shared = upload(&service, other, PNG).await.json(201);
    let path = |product: i64, image: &Value| format!("/api/products/{product}/images/{}", image["id"]);
    service.delete(&path(id, &image), &service.admin()).await.json(204);
    service.advance(3 * DAY);
    service.collect_files().await;
    service.advance(3 * DAY);
    service.collect_files().await;
    assert_eq!(service.files().len(), 1, "another product refers to it");

    service.delete(&path(other, &shared), &service.admin()).await.json(204);
    service.advance(600);
    service.collect_files().await;
    service.advance(DAY - 1);
    service.collect_files().await;
    assert_eq!(service.get(image["url"].as_str().unwrap()).await.status, 200);
    // Uploaded again, but not referenced for longer than a moment: the day begins anew.
    let again = upload(&service, id, PNG).await.json(201);
    assert_eq!(again["url"], image["url"]);
    service.delete(&path(id, &again), &service.admin()).await.json(204);
    service.advance(600);
    service.collect_files().await;
    assert_eq!(service.files().len(), 1);
    service.advance(DAY);
    service.collect_files().await;
    assert_eq!(service.files(), [""; 0]);
    service.get(image["url"].as_str().unwrap()).await.problem(404, "IMAGE_NOT_FOUND");
    let image = upload(&service, id, PNG).await.json(201);
    assert_eq!(stored(&service, &image).await.1, "image/png");
}

#[tokio::test]
async fn unavailable_media_store_is_reported() {
    let service = TestService::open().await;
    let id = service.product_with_stock(1).await;
    service.remove_files();
    upload(&service, id, PNG).await.problem(503, "SERVICE_UNAVAILABLE");
    assert_eq!(service.product(id).await["images"], json!([]));
}
