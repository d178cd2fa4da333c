//! Any request to the HTTP API: a route, what stands in its path and behind it, and a body.

use std::cell::OnceCell;

use ebbtide::fuzz::{Api, routes};

thread_local! {
    static API: OnceCell<Api> = const { OnceCell::new() };
}

/// The number of a route, that of a method, then three texts: for the path, the query and the body, each behind a zero.
pub fn run(data: &[u8]) {
    let [route, method, rest @ ..] = data else {
        return;
    };
    let routes = routes();
    let (path, methods) = routes[usize::from(*route) % routes.len()];
    let methods: Vec<&str> = methods.split(", ").collect();
    let method = methods[usize::from(*method) % methods.len()];
    let mut parts = rest.splitn(3, |byte| *byte == 0);
    let mut part = || parts.next().unwrap_or_default();
    let (name, query, body) = (part(), part(), part());
    let name = String::from_utf8_lossy(name);
    let query = String::from_utf8_lossy(query);
    let path: String = path
        .split('/')
        .map(|level| {
            if level.starts_with('{') {
                &*name
            } else {
                level
            }
        })
        .collect::<Vec<_>>()
        .join("/");
    let target = match query.is_empty() {
        true => path,
        false => format!("{path}?{query}"),
    };
    API.with(|api| {
        api.get_or_init(Api::start).request(method, &target, body);
    });
}
