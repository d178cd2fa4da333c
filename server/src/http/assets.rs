//! The files in the binary: the dashboard at `/`, the site at `/docs/`, the npm build at `/pkg/`.

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use rust_embed::{Embed, EmbeddedFile};

use super::problem::Problem;

/// Names a build of the assets: when it changes, they are embedded anew.
const _STAMP: Option<&str> = option_env!("EBBTIDE_WEB_STAMP");

/// A year: the name of such a file changes with its content.
const IMMUTABLE: &str = "public, max-age=31536000, immutable";
/// Asked for again each time; the answer is mostly that nothing has changed.
const REVALIDATED: &str = "no-cache";

/// The pages of the dashboard (dashboard/src/model/page.rs): each address opens it.
const PAGES: [&str; 6] = [
    "access", "config", "presence", "publish", "sessions", "topics",
];

/// The dashboard.
const PAGE: &str = "dashboard/index.html";

/// The coding, and the folder of the same files in it (xtask/src/web/compress.rs).
const BROTLI: &str = "br";

#[derive(Embed)]
#[folder = "$EBBTIDE_WEB_DIR"]
#[allow_missing = true]
struct Assets;

pub async fn serve(request: Request) -> Response {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Problem::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "Only GET and HEAD are answered here.",
        )
        .into_response();
    }
    let path = request.uri().path();
    if path == "/docs" {
        return Redirect::permanent("/docs/").into_response();
    }
    let name = name(path);
    if let Some(answer) = file(&name, request.headers()) {
        return answer;
    }
    if Assets::iter().next().is_none() {
        return not_built();
    }
    if !path.starts_with("/api/") && takes_html(request.headers()) {
        // A person in a browser: the dashboard itself says that there is nothing. Whole, for it is not the page of this address.
        let mut headers = request.headers().clone();
        headers.remove(header::IF_NONE_MATCH);
        if let Some(mut page) = file(PAGE, &headers) {
            *page.status_mut() = StatusCode::NOT_FOUND;
            return page;
        }
    }
    Problem::new(StatusCode::NOT_FOUND, "There is nothing at this address.").into_response()
}

/// The answer with a file, in the coding that the client takes.
fn file(name: &str, headers: &HeaderMap) -> Option<Response> {
    if takes_brotli(headers)
        && let Some(file) = Assets::get(&format!("{BROTLI}/{name}"))
    {
        return Some(answer(name, file, headers, true));
    }
    let file = Assets::get(name)?;
    Some(answer(name, file, headers, false))
}

/// The file behind a path.
fn name(path: &str) -> String {
    let path = path.trim_start_matches('/');
    if PAGES.contains(&path) {
        return PAGE.to_owned();
    }
    let mut name = if path.starts_with("docs/") || path.starts_with("pkg/") {
        path.to_owned()
    } else {
        format!("dashboard/{path}")
    };
    if name.ends_with('/') {
        name.push_str("index.html");
    }
    name
}

/// Whether a page is wanted, as browsers say it when somebody goes to an address. `*/*` alone is a program.
fn takes_html(headers: &HeaderMap) -> bool {
    let mut kinds = listed(headers, &header::ACCEPT);
    kinds.any(|kind| kind == "text/html")
}

/// Whether the client takes Brotli. `q=0` would say that it does not; no client says so of it.
fn takes_brotli(headers: &HeaderMap) -> bool {
    listed(headers, &header::ACCEPT_ENCODING).any(|coding| coding == BROTLI)
}

/// The members of a list in a header, without their parameters.
fn listed<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(name).iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|member| member.split(';').next().unwrap_or_default().trim())
}

fn answer(name: &str, file: EmbeddedFile, headers: &HeaderMap, is_brotli: bool) -> Response {
    let tag = tag(&file);
    let caching = if is_hashed(name) {
        IMMUTABLE
    } else {
        REVALIDATED
    };
    let is_same = headers
        .get(header::IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|known| known.split(',').any(|known| known.trim() == tag));
    let mut response = if is_same {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        // As it is: what is in the binary is copied for nobody.
        Response::new(Body::from(file.data))
    };
    let kind = mime_guess::from_path(name).first_or_octet_stream();
    let kind = if kind.type_() == "text" {
        format!("{kind}; charset=utf-8")
    } else {
        kind.to_string()
    };
    for (name, value) in [
        (header::CONTENT_TYPE, kind.as_str()),
        (header::ETAG, &tag),
        (header::CACHE_CONTROL, caching),
        (header::VARY, "accept-encoding"),
    ] {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(name, value);
        }
    }
    if is_brotli {
        let coding = HeaderValue::from_static(BROTLI);
        response
            .headers_mut()
            .insert(header::CONTENT_ENCODING, coding);
    }
    response
}

fn tag(file: &EmbeddedFile) -> String {
    let hash = file.metadata.sha256_hash();
    let hex: String = hash[..12]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("\"{hex}\"")
}

/// Whether the name carries a hash of the content, as Trunk gives it: `name-0123456789abcdef.js`.
fn is_hashed(name: &str) -> bool {
    let stem = name
        .rsplit('/')
        .next()
        .unwrap_or(name)
        .split(['.', '_'])
        .next()
        .unwrap_or_default();
    stem.rsplit('-')
        .next()
        .is_some_and(|hash| hash.len() >= 12 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

fn not_built() -> Response {
    let text = "The dashboard is not part of this build: run `cargo xtask run`, which builds and embeds it.\n\
                MQTT over WebSocket is at /mqtt all the same.\n";
    (StatusCode::NOT_FOUND, text).into_response()
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use http_body_util::BodyExt;

    use super::*;

    /// Would fail if an answer had memory of its own: a client that takes none of it would keep that.
    #[tokio::test]
    async fn what_is_in_the_binary_is_not_copied() {
        #[derive(Embed)]
        #[folder = "src/http"]
        struct Source;
        static CONTENT: [u8; 4096] = [7; 4096];
        let mut file = Source::get("assets.rs").expect("this file");
        // As it is in a release build.
        file.data = Cow::Borrowed(&CONTENT);
        let mut body = answer("app.wasm", file, &HeaderMap::new(), false).into_body();
        let frame = body.frame().await.expect("a body").expect("all of it");
        let data = frame.into_data().expect("no trailers");
        assert_eq!(data.as_ptr_range(), CONTENT.as_ptr_range());
    }

    #[test]
    fn paths_and_files() {
        assert_eq!(name("/"), PAGE);
        assert_eq!(name("/app-0123.js"), "dashboard/app-0123.js");
        assert_eq!(name("/sessions"), PAGE);
        assert_eq!(name("/sessions/x"), "dashboard/sessions/x");
        assert_eq!(name("/docs/"), "docs/index.html");
        assert_eq!(name("/docs/demo.html"), "docs/demo.html");
        assert_eq!(name("/pkg/index.js"), "pkg/index.js");
    }

    #[tokio::test]
    async fn only_the_site_has_a_page_to_be_led_to() {
        let ask = async |path: &str| {
            let request = Request::builder()
                .uri(path)
                .body(Body::empty())
                .expect("a request");
            serve(request).await.status()
        };
        assert_eq!(ask("/docs").await, StatusCode::PERMANENT_REDIRECT);
        assert_eq!(ask("/pkg").await, StatusCode::NOT_FOUND);
    }

    #[test]
    fn brotli_for_those_who_take_it() {
        let takes = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(value));
            takes_brotli(&headers)
        };
        assert!(takes("gzip, deflate, br, zstd"));
        assert!(takes("br;q=0.5"));
        assert!(!takes("gzip, brx"));
        assert!(!takes_brotli(&HeaderMap::new()));
    }

    #[test]
    fn pages_for_those_who_browse() {
        let takes = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, HeaderValue::from_static(value));
            takes_html(&headers)
        };
        assert!(takes("text/html,application/xhtml+xml,*/*;q=0.8"));
        assert!(takes("application/json, text/html;q=0.5"));
        assert!(!takes("*/*"));
        assert!(!takes("application/json"));
        assert!(!takes_html(&HeaderMap::new()));
    }

    #[test]
    fn only_hashed_names_are_cached_for_ever() {
        assert!(is_hashed("dashboard/ebbtide-dashboard-2f1a0c9d8e7b6a54.js"));
        assert!(is_hashed(
            "dashboard/ebbtide-dashboard-2f1a0c9d8e7b6a54_bg.wasm"
        ));
        for plain in [
            "dashboard/index.html",
            "dashboard/service-worker.js",
            "pkg/index.js",
            "pkg/ebbtide.wasm",
            "docs/getting-started.html",
        ] {
            assert!(!is_hashed(plain), "{plain}");
        }
    }
}
