//! Tables for people: columns as wide as what stands in them, two blanks apart.

use std::array;

/// The lines of a table, its heading first. The last column is as wide as it is.
pub(super) fn lines<const N: usize>(heading: [&str; N], rows: Vec<[String; N]>) -> Vec<String> {
    let rows: Vec<[String; N]> = std::iter::once(heading.map(str::to_owned)).chain(rows).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = array::from_fn(width);
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_what_stands_in_them() {
        let rows =
            vec![["a".to_owned(), "红茶".to_owned(), "x".to_owned()], ["bcd", "", ""].map(str::to_owned)];
        let want = ["it   of  end", "a    红茶  x", "bcd"];
        assert_eq!(lines(["it", "of", "end"], rows), want);
        assert_eq!(lines(["it", "of"], vec![]), ["it  of"]);
    }
}
