//! The pages: one table, from which the navigation, the addresses and the titles are made. A page is in it when it is there.

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Page {
    Presence,
    Config,
    Topics,
    Publish,
}

impl Page {
    /// In the order of the navigation.
    pub const ALL: [Self; 4] = [Self::Presence, Self::Config, Self::Topics, Self::Publish];
    /// What is at `/`.
    pub const HOME: Self = Self::Presence;

    /// The server answers each of these with the dashboard (server/src/http/assets.rs).
    pub fn path(self) -> &'static str {
        match self {
            Self::Presence => "/presence",
            Self::Config => "/config",
            Self::Topics => "/topics",
            Self::Publish => "/publish",
        }
    }

    pub fn from_path(path: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|page| page.path() == path)
    }

    pub fn title(self) -> &'static str {
        match self {
            Self::Presence => "Presence",
            Self::Config => "Config",
            Self::Topics => "Topics",
            Self::Publish => "Publish",
        }
    }

    /// What the search field looks through; `None`: the page has nothing to search.
    pub fn search_hint(self) -> Option<&'static str> {
        match self {
            Self::Presence => Some("Search names and metadata"),
            Self::Config | Self::Topics => Some("Search topics and values"),
            Self::Publish => Some("Search messages that arrive"),
        }
    }
}
