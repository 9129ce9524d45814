//! A text as a QR code, drawn as SVG: black on white whatever the page's colours are, with the margin that scanners need.

use std::fmt::Write as _;

use fast_qr::{ECL, QRBuilder, QRCode};

/// The quiet zone around a code, in modules.
///
/// Source: ISO/IEC 18004, "Quiet zone".
const MARGIN: usize = 4;

/// The code of that text; `None` where it is too long for one.
pub(super) fn picture(text: &str) -> Option<String> {
    let code = QRBuilder::new(text).ecl(ECL::M).build().ok()?;
    let side = code.size + 2 * MARGIN;
    Some(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {side}\" shape-rendering=\"crispEdges\">\
         <path fill=\"#fff\" d=\"M0 0h{side}v{side}H0z\"/><path d=\"{}\"/></svg>",
        dark(&code)
    ))
}

/// Every run of dark modules in a row as one flat box.
fn dark(code: &QRCode) -> String {
    let mut path = String::new();
    for row in 0..code.size {
        let mut column = 0;
        while column < code.size {
            let run = (column..code.size).take_while(|at| code[row][*at].value()).count();
            if run > 0 {
                let _ = write!(path, "M{} {}h{run}v1h-{run}z", column + MARGIN, row + MARGIN);
            }
            column += run + 1;
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The boxes of a picture, each as row, first column and length.
    fn boxes(picture: &str) -> Vec<[usize; 3]> {
        let path = picture.rsplit("d=\"").next().unwrap().split('"').next().unwrap();
        let numbers = |text: &str| -> Vec<usize> {
            let is_digit = |c: char| c.is_ascii_digit();
            text.split(|c| !is_digit(c)).filter(|word| !word.is_empty()).map(|n| n.parse().unwrap()).collect()
        };
        path.split('M').skip(1).map(numbers).map(|n| [n[1], n[0], n[2]]).collect()
    }

    #[test]
    fn a_picture_is_the_code_with_its_margin() {
        let text = "https://pay.example.com/pay/pay_018df74f840070008000000000000001";
        let (code, picture) = (QRBuilder::new(text).ecl(ECL::M).build().unwrap(), picture(text).unwrap());
        assert!(picture.contains(&format!("viewBox=\"0 0 {0} {0}\"", code.size + 8)), "{picture}");
        let boxes = boxes(&picture);
        for row in 0..code.size {
            for column in 0..code.size {
                let covers = |[at, from, run]: &[usize; 3]| {
                    *at == row + 4 && (*from..from + run).contains(&(column + 4))
                };
                assert_eq!(
                    boxes.iter().filter(|b| covers(b)).count(),
                    usize::from(code[row][column].value())
                );
            }
        }
        let last = boxes.iter().map(|[row, from, run]| (*row).max(from + run - 1)).max();
        assert_eq!(last, Some(code.size + 3), "nothing is drawn in the margin");
    }

    #[test]
    fn what_is_too_long_is_not_drawn() {
        assert_eq!(picture(&"x".repeat(5000)), None);
    }
}
