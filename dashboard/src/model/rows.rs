//! Which part of a long list is drawn: the rows in sight and a few beyond them.

/// Drawn above and below what is in sight, so that fast scrolling seldom shows a gap.
const ROWS_BEYOND: usize = 6;
/// Before the list is measured.
const ROWS_AT_FIRST: usize = 24;

/// How a list lies in the page. Lengths are CSS pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Layout {
    pub row_px: f64,
    /// Space between two rows or two columns.
    pub gap_px: f64,
    /// A column is at least that wide; `None`: there is one column.
    pub column_px_min: Option<f64>,
}

/// The items to draw, and where.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Part {
    pub columns: usize,
    pub first: usize,
    /// The first that is not drawn any more.
    pub end: usize,
    /// From the top of the list to the first row that is drawn.
    pub offset_px: f64,
    /// Of all rows.
    pub height_px: f64,
}

impl Layout {
    /// `top_px` is the list's upper edge relative to that of the visible part of the page: negative when scrolled past.
    pub fn part(&self, items: usize, width_px: f64, top_px: f64, view_px: f64) -> Part {
        let columns = self.columns(width_px);
        let rows = items.div_ceil(columns);
        let pitch = self.row_px + self.gap_px;
        let row_at = |y_px: f64| (y_px.max(0.0) / pitch) as usize;
        let first_row = row_at(-top_px).saturating_sub(ROWS_BEYOND).min(rows);
        let end_row = (row_at(view_px - top_px) + 1 + ROWS_BEYOND).min(rows);
        Part {
            columns,
            first: (first_row * columns).min(items),
            end: (end_row * columns).min(items),
            offset_px: first_row as f64 * pitch,
            height_px: (rows as f64 * pitch - self.gap_px).max(0.0),
        }
    }

    /// Before anything is measured.
    pub fn first_part(&self, items: usize) -> Part {
        self.part(items, 0.0, 0.0, ROWS_AT_FIRST as f64 * self.row_px)
    }

    fn columns(&self, width_px: f64) -> usize {
        match self.column_px_min {
            Some(min_px) => (((width_px + self.gap_px) / (min_px + self.gap_px)) as usize).max(1),
            None => 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CARDS: Layout = Layout {
        row_px: 90.0,
        gap_px: 10.0,
        column_px_min: Some(240.0),
    };

    #[test]
    fn as_many_columns_as_fit() {
        let columns = |width_px| CARDS.part(100, width_px, 0.0, 500.0).columns;
        assert_eq!(columns(0.0), 1);
        assert_eq!(columns(489.0), 1);
        assert_eq!(columns(490.0), 2);
        assert_eq!(columns(2_000.0), 8);
    }

    #[test]
    fn draws_what_is_in_sight_and_a_little_more() {
        let part = CARDS.part(10_000, 490.0, -100_000.0, 1_000.0);
        let (above, below) = (1_000 - ROWS_BEYOND, 1_010 + 1 + ROWS_BEYOND);
        assert_eq!((part.first, part.end), (above * 2, below * 2));
        assert_eq!(part.offset_px, above as f64 * 100.0);
        assert_eq!(part.height_px, 5_000.0 * 100.0 - 10.0);
    }

    #[test]
    fn never_reaches_beyond_the_list() {
        let check = |items, top_px| {
            let part = CARDS.part(items, 490.0, top_px, 1_000.0);
            assert!(part.first <= part.end && part.end <= items, "{part:?}");
        };
        check(0, 0.0);
        check(1, -1e9);
        check(7, 1e9);
        assert_eq!(CARDS.part(7, 490.0, 0.0, 1_000.0).end, 7);
        assert_eq!(CARDS.part(0, 490.0, 0.0, 1_000.0).height_px, 0.0);
    }
}
