//! The pages: one table, from which the navigation, the addresses and the titles are made. A page is in it when it is there.

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Page {
    Presence,
    Config,
}

impl Page {
    /// In the order of the navigation.
    pub const ALL: [Self; 2] = [Self::Presence, Self::Config];
    /// What is at `/`.
    pub const HOME: Self = Self::Presence;

    /// The server answers each of these with the dashboard (server/src/http/assets.rs).
    pub fn path(self) -> &'static str {
        match self {
            Self::Presence => "/presence",
            Self::Config => "/config",
        }
    }

    pub fn from_path(path: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|page| page.path() == path)
    }

    pub fn title(self) -> &'static str {
        match self {
            Self::Presence => "Presence",
            Self::Config => "Config",
        }
    }

    /// What the search field looks through; `None`: the page has nothing to search.
    pub fn search_hint(self) -> Option<&'static str> {
        match self {
            Self::Presence => Some("Search names and metadata"),
            Self::Config => Some("Search topics and values"),
        }
    }
}
