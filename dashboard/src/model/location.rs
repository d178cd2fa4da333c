//! Where the viewer is: a page and what was chosen on it, as the address bar has it.
//!
//! A link shows the same view to somebody else. Each page reads its own parameters; defaults are left out, and what is not
//! understood is passed over, so that an old link still opens.

use form_urlencoded::{Serializer, parse};

use super::page::Page;

/// The search text, on every page that has a search.
pub const SEARCH: &str = "q";
/// A topic filter, on the pages that watch one.
pub const FILTER: &str = "filter";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    pub page: Page,
    /// In the order in which they were set; never with an empty value.
    params: Vec<(String, String)>,
}

impl Location {
    pub fn new(page: Page) -> Self {
        Self {
            page,
            params: Vec::new(),
        }
    }

    /// From a path and a query, with or without its `?`. `None`: no page has this path.
    pub fn parse(path: &str, query: &str) -> Option<Self> {
        let mut params: Vec<(String, String)> = parse(query.trim_start_matches('?').as_bytes())
            .into_owned()
            .collect();
        let page = if path == "/" {
            earlier_page(&mut params).unwrap_or(Page::HOME)
        } else {
            Page::from_path(path)?
        };
        params.retain(|(_, value)| !value.is_empty());
        Some(Self { page, params })
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.params.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// An empty value takes the parameter away.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        match self.params.iter_mut().find(|(known, _)| known == name) {
            Some(_) if value.is_empty() => self.params.retain(|(known, _)| known != name),
            Some((_, old)) => value.clone_into(old),
            None if value.is_empty() => {}
            None => self.params.push((name.to_owned(), value.to_owned())),
        }
        self
    }

    pub fn search(&self) -> &str {
        self.get(SEARCH).unwrap_or_default()
    }

    pub fn url(&self) -> String {
        let path = self.page.path();
        if self.params.is_empty() {
            return path.to_owned();
        }
        let query = Serializer::new(String::new())
            .extend_pairs(&self.params)
            .finish();
        format!("{path}?{query}")
    }
}

/// The page of a link from when there was one page: `/?presence=…`, `/?config=…`, `/?view=config`.
fn earlier_page(params: &mut Vec<(String, String)>) -> Option<Page> {
    let has = |params: &[(String, String)], name: &str| params.iter().any(|(n, _)| n == name);
    let is_config = params.iter().any(|(n, v)| n == "view" && v == "config");
    let of_presence = ["presence", "q", "sort", "status"];
    let page = if is_config || has(params, "config") && !has(params, "presence") {
        Page::Config
    } else if of_presence.iter().any(|name| has(params, name)) {
        Page::Presence
    } else {
        return None;
    };
    let (filter, other) = match page {
        Page::Config => ("config", "presence"),
        _ => ("presence", "config"),
    };
    params.retain(|(name, _)| name != "view" && name != other);
    for (name, _) in params {
        if name == filter {
            FILTER.clone_into(name);
        }
    }
    Some(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reopened(location: &Location) -> Option<Location> {
        let url = location.url();
        let (path, query) = url.split_once('?').unwrap_or((&url, ""));
        Location::parse(path, query)
    }

    #[test]
    fn a_link_gives_back_the_view() {
        for page in Page::ALL {
            let location = Location::new(page).with("span", "10 minutes");
            let location = match page.search_hint() {
                Some(_) => location
                    .with(FILTER, "floor 1/+/ü&?")
                    .with(SEARCH, "a=b #c"),
                None => location,
            };
            assert_eq!(reopened(&location), Some(location));
            let plain = Location::new(page);
            assert_eq!(plain.url(), page.path());
            assert_eq!(reopened(&plain), Some(plain));
        }
    }

    #[test]
    fn a_parameter_is_set_changed_and_taken_away() {
        let location = Location::new(Page::Presence).with("a", "1").with("b", "2");
        assert_eq!(location.clone().with("a", "3").url(), "/presence?a=3&b=2");
        assert_eq!(location.clone().with("a", "").url(), "/presence?b=2");
        assert_eq!(location.with("c", "").url(), "/presence?a=1&b=2");
    }

    #[test]
    fn links_from_when_there_was_one_page_still_open() {
        let url = |query| Location::parse("/", query).map(|location| location.url());
        let opens = |query, expected: &str| assert_eq!(url(query).as_deref(), Some(expected));
        opens(
            "?presence=a/%2B&status=online",
            "/presence?filter=a%2F%2B&status=online",
        );
        opens("?q=kiel&sort=recent", "/presence?q=kiel&sort=recent");
        opens("?config=%23", "/config?filter=%23");
        opens("?view=config&q=x&presence=p/%2B", "/config?q=x");
        opens("?presence=a&config=b", "/presence?filter=a");
    }

    #[test]
    fn what_is_not_understood_is_passed_over() {
        assert_eq!(Location::parse("/moon", ""), None);
        let location = Location::parse("/presence", "?unknown=1&q=%&empty=");
        let location = location.expect("a page");
        assert_eq!(location.search(), "%");
        assert_eq!(location.get("empty"), None);
    }
}
