//! One use of a filter: its name, and how the filter is subscribed to. Values only.

use crate::packet::SubscriptionOptions;

/// Names one use of a filter, from `subscribe` to `unsubscribe`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubscriptionHandle(pub(super) u32);

impl SubscriptionHandle {
    /// As a number. The first use of a filter has the Subscription Identifier of the subscription.
    #[must_use]
    pub fn number(self) -> u32 {
        self.0
    }

    /// The handle with this number.
    #[must_use]
    pub fn from_number(number: u32) -> Self {
        Self(number)
    }
}

/// How a filter is subscribed to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Use {
    /// What the server is told.
    pub options: SubscriptionOptions,
    /// Ask for the retained messages again on every connection, a resumed session included.
    pub refresh: bool,
    /// In what is stored alone: the application has ended it, and the server has perhaps not heard of that.
    pub ending: bool,
}

impl From<SubscriptionOptions> for Use {
    fn from(options: SubscriptionOptions) -> Self {
        Self {
            options,
            ..Self::default()
        }
    }
}
