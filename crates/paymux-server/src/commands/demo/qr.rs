//! A QR code drawn with characters: two rows of modules a line, black on white whatever the terminal's
//! colours are, with the margin that scanners need.

use fast_qr::{ECL, QRBuilder, QRCode};

/// The quiet zone around a code, in modules.
///
/// Source: ISO/IEC 18004, "Quiet zone".
const MARGIN: usize = 4;

/// The code of that text; `None` when it is too long for one.
pub(super) fn drawing(text: &str) -> Option<String> {
    let code = QRBuilder::new(text).ecl(ECL::M).build().ok()?;
    let side = code.size + 2 * MARGIN;
    let line = |top: usize| -> String {
        let halves =
            (0..side).map(|column| half_block(is_dark(&code, top, column), is_dark(&code, top + 1, column)));
        format!("\x1b[30;107m{}\x1b[0m\n", halves.collect::<String>())
    };
    Some((0..side).step_by(2).map(line).collect())
}

/// Whether that module is dark; those of the margin are not.
fn is_dark(code: &QRCode, row: usize, column: usize) -> bool {
    let inside = |place: usize| place.checked_sub(MARGIN).filter(|place| *place < code.size);
    matches!((inside(row), inside(column)), (Some(row), Some(column)) if code[row][column].value())
}

fn half_block(upper: bool, lower: bool) -> char {
    match (upper, lower) {
        (true, true) => '█',
        (true, false) => '▀',
        (false, true) => '▄',
        (false, false) => ' ',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drawing_is_the_code_with_its_margin() {
        let text = "https://pay.example.com/1";
        let code = QRBuilder::new(text).ecl(ECL::M).build().unwrap();
        let drawing = drawing(text).unwrap();
        let lines: Vec<Vec<char>> = drawing
            .lines()
            .map(|line| line.trim_start_matches("\x1b[30;107m").trim_end_matches("\x1b[0m").chars().collect())
            .collect();
        let side = code.size + 8;
        assert_eq!((lines.len(), lines[0].len()), (side.div_ceil(2), side));
        for row in 0..side {
            for column in 0..side {
                let drawn = match lines[row / 2][column] {
                    '█' => true,
                    '▀' => row % 2 == 0,
                    '▄' => row % 2 == 1,
                    _ => false,
                };
                let inside = (4..side - 4).contains(&row) && (4..side - 4).contains(&column);
                let want = inside && code[row - 4][column - 4].value();
                assert_eq!(drawn, want, "{row} {column}");
            }
        }
    }

    #[test]
    fn what_is_too_long_is_not_drawn() {
        assert_eq!(drawing(&"x".repeat(5000)), None);
    }
}
