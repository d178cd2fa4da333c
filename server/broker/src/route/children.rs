//! What stands below a node of the tree of retained messages: its children by level, in order.
//!
//! Most nodes have none and take a pointer for it. Few children stand in a list, since a B-tree takes for one of them what it takes
//! for eleven. A level of up to fifteen bytes lies in the entry itself.

use std::{
    collections::{BTreeMap, btree_map},
    ops::Bound,
    slice,
};

use ecow::EcoString;

/// The name of a level.
pub(super) type Level = EcoString;

/// More of them stand in a tree, and go back to a list when there are half as many.
const FEW_MAX: usize = 32;

#[derive(Debug)]
pub(super) struct Children<T>(Option<Box<Kind<T>>>);

/// Never empty.
#[derive(Debug)]
enum Kind<T> {
    /// Ascending by level.
    Few(Vec<(Level, T)>),
    Many(BTreeMap<Level, T>),
}

impl<T> Default for Children<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Children<T> {
    /// Of what is ascending by level.
    pub fn of(ascending: Vec<(Level, T)>) -> Self {
        let kind = match ascending.len() {
            0 => return Self(None),
            1..=FEW_MAX => {
                let mut few = ascending;
                few.shrink_to_fit();
                Kind::Few(few)
            }
            _ => Kind::Many(ascending.into_iter().collect()),
        };
        Self(Some(Box::new(kind)))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// With its level as it is kept here.
    pub fn get(&self, level: &str) -> Option<(&str, &T)> {
        let (level, child) = match self.0.as_deref()? {
            Kind::Few(few) => {
                let (level, child) = &few[find(few, level).ok()?];
                (level, child)
            }
            Kind::Many(many) => many.get_key_value(level)?,
        };
        Some((level, child))
    }

    pub fn get_mut(&mut self, level: &str) -> Option<&mut T> {
        match self.0.as_deref_mut()? {
            Kind::Few(few) => {
                let at = find(few, level).ok()?;
                Some(&mut few[at].1)
            }
            Kind::Many(many) => many.get_mut(level),
        }
    }

    pub fn get_or_insert_default(&mut self, level: &str) -> &mut T
    where
        T: Default,
    {
        let kind = self
            .0
            .get_or_insert_with(|| Box::new(Kind::Few(Vec::new())));
        if let Kind::Few(few) = &mut **kind
            && few.len() >= FEW_MAX
            && find(few, level).is_err()
        {
            **kind = Kind::Many(std::mem::take(few).into_iter().collect());
        }
        match &mut **kind {
            Kind::Few(few) => {
                let at = find(few, level).unwrap_or_else(|at| {
                    if few.len() == few.capacity() {
                        few.reserve_exact(1 + few.len() / 4);
                    }
                    few.insert(at, (level.into(), T::default()));
                    at
                });
                &mut few[at].1
            }
            Kind::Many(many) => {
                // Looked up first: the level is copied only when it is new.
                if !many.contains_key(level) {
                    many.insert(level.into(), T::default());
                }
                many.get_mut(level).expect("just inserted")
            }
        }
    }

    pub fn remove(&mut self, level: &str) {
        let Some(kind) = self.0.as_deref_mut() else {
            return;
        };
        let left = match kind {
            Kind::Few(few) => {
                if let Ok(at) = find(few, level) {
                    few.remove(at);
                }
                if few.len() < few.capacity() / 2 {
                    few.shrink_to_fit();
                }
                few.len()
            }
            Kind::Many(many) => {
                many.remove(level);
                let left = many.len();
                if left <= FEW_MAX / 2 {
                    *kind = Kind::Few(std::mem::take(many).into_iter().collect());
                }
                left
            }
        };
        if left == 0 {
            self.0 = None;
        }
    }

    /// In order, beginning with the level `first` or the next one there is.
    pub fn from(&self, first: Option<&str>) -> Ascending<'_, T> {
        match self.0.as_deref() {
            None => Ascending::Few([].iter()),
            Some(Kind::Few(few)) => {
                let start = first.map_or(0, |first| find(few, first).unwrap_or_else(|at| at));
                Ascending::Few(few[start..].iter())
            }
            Some(Kind::Many(many)) => {
                let start = first.map_or(Bound::Unbounded, Bound::Included);
                Ascending::Many(many.range::<str, _>((start, Bound::Unbounded)))
            }
        }
    }
}

/// Some children, in order.
pub(super) enum Ascending<'a, T> {
    Few(slice::Iter<'a, (Level, T)>),
    Many(btree_map::Range<'a, Level, T>),
}

impl<'a, T> Iterator for Ascending<'a, T> {
    type Item = (&'a str, &'a T);

    fn next(&mut self) -> Option<Self::Item> {
        let (level, child) = match self {
            Self::Few(few) => few.next().map(|(level, child)| (level, child))?,
            Self::Many(many) => many.next()?,
        };
        Some((level, child))
    }
}

fn find<T>(few: &[(Level, T)], level: &str) -> Result<usize, usize> {
    few.binary_search_by(|(known, _)| known.as_str().cmp(level))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn levels(children: &Children<usize>, first: Option<&str>) -> Vec<(String, usize)> {
        let levels = children.from(first);
        levels
            .map(|(level, value)| (level.to_owned(), *value))
            .collect()
    }

    #[test]
    fn they_do_what_a_map_does_however_many_there_are() {
        let mut children = Children::<usize>::default();
        let mut model = BTreeMap::new();
        let mut number: usize = 1;
        for step in 0..6_000 {
            // Any fixed sequence will do that meets itself often; it fills up, and empties again.
            number = number.wrapping_mul(6_364_136_223_846_793_005) + step;
            let level = format!("{}", (number >> 33) % (4 * FEW_MAX));
            let is_added = (number >> 20) % 100 < if step % 2_000 < 1_000 { 70 } else { 20 };
            if is_added {
                *children.get_or_insert_default(&level) = step;
                model.insert(level.clone(), step);
            } else {
                children.remove(&level);
                model.remove(&level);
            }
            let kept = model.get_key_value(&level);
            let kept = kept.map(|(level, value)| (level.as_str(), value));
            assert_eq!(children.get(&level), kept);
            assert_eq!(children.get_mut(&level), model.get_mut(&level));
            assert_eq!(children.is_empty(), model.is_empty());
            if step % 50 == 0 {
                let all = model.clone().into_iter().collect::<Vec<_>>();
                assert_eq!(levels(&children, None), all);
                let from: Vec<_> = all
                    .into_iter()
                    .filter(|(known, _)| *known >= level)
                    .collect();
                assert_eq!(levels(&children, Some(&level)), from);
            }
        }
        for level in (0..4 * FEW_MAX).map(|level| level.to_string()) {
            children.remove(&level);
        }
        assert!(children.is_empty());
    }

    #[test]
    fn none_take_a_pointer_and_few_what_they_need() {
        assert_eq!(size_of::<Children<[u64; 3]>>(), size_of::<usize>());
        let mut children = Children::<usize>::default();
        let room = |children: &Children<usize>| match children.0.as_deref() {
            Some(Kind::Few(few)) => few.capacity(),
            Some(Kind::Many(_)) => usize::MAX,
            None => 0,
        };
        for count in 1..=FEW_MAX {
            children.get_or_insert_default(&count.to_string());
            assert!(room(&children) <= count + count / 4, "{}", room(&children));
        }
        children.get_or_insert_default("more");
        assert_eq!(room(&children), usize::MAX);
        for count in 1..=FEW_MAX {
            children.remove(&count.to_string());
        }
        assert!(room(&children) <= 3, "{}", room(&children));
    }
}
