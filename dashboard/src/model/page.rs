//! The pages: one table, from which the navigation, the addresses and the titles are made. A page is in it when it is there.

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Page {
    Overview,
    Presence,
    Config,
    Topics,
    Sessions,
    Publish,
    Access,
}

impl Page {
    /// In the order of the navigation.
    pub const ALL: [Self; 7] = [
        Self::Overview,
        Self::Presence,
        Self::Config,
        Self::Topics,
        Self::Sessions,
        Self::Publish,
        Self::Access,
    ];
    /// What is at `/`.
    pub const HOME: Self = Self::Overview;

    /// The server answers each of these with the dashboard (server/src/http/assets.rs).
    pub fn path(self) -> &'static str {
        match self {
            Self::Overview => "/",
            Self::Presence => "/presence",
            Self::Config => "/config",
            Self::Topics => "/topics",
            Self::Sessions => "/sessions",
            Self::Publish => "/publish",
            Self::Access => "/access",
        }
    }

    pub fn from_path(path: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|page| page.path() == path)
    }

    pub fn title(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Presence => "Presence",
            Self::Config => "Config",
            Self::Topics => "Topics",
            Self::Sessions => "Sessions",
            Self::Publish => "Publish",
            Self::Access => "Access",
        }
    }

    /// Where the search field leads to: what is typed on the overview is looked for in all topics.
    pub fn searched(self) -> Self {
        match self {
            Self::Overview => Self::Topics,
            other => other,
        }
    }

    /// What the search field looks through; `None`: the page has nothing to search.
    pub fn search_hint(self) -> Option<&'static str> {
        match self {
            Self::Overview | Self::Access => None,
            Self::Presence => Some("Search names and metadata"),
            Self::Config | Self::Topics => Some("Search topics and values"),
            Self::Sessions => Some("Search client ids, users and addresses"),
            Self::Publish => Some("Search messages that arrive"),
        }
    }
}
