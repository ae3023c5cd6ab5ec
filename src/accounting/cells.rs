//! Cells of exported CSV files, which people open in spreadsheets.

use std::borrow::Cow;

/// A cell that no spreadsheet takes for a formula: text that begins with `= + - @`, a tab or a carriage return gets an
/// apostrophe before it, unless it is a finite number.
pub fn safe_cell(text: &str) -> Cow<'_, str> {
    let risky = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    if risky && !text.parse::<f64>().is_ok_and(f64::is_finite) {
        Cow::Owned(format!("'{text}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// A CSV file in memory, with every cell made safe.
pub(super) struct CsvText(csv::Writer<Vec<u8>>);

impl CsvText {
    /// Begins with a header line.
    pub fn new(header: &[&str]) -> CsvText {
        let mut text = CsvText(csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new()));
        text.row(header);
        text
    }

    /// Adds a line of as many cells as the header has.
    pub fn row<T: AsRef<str>>(&mut self, cells: &[T]) {
        // Memory takes every write, and each caller gives rows of one length.
        let written = self.0.write_record(cells.iter().map(|cell| safe_cell(cell.as_ref()).into_owned()));
        debug_assert!(written.is_ok());
    }

    /// The file.
    pub fn finish(self) -> String {
        let bytes = self.0.into_inner().unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_a_number_or_a_text_and_never_a_formula() {
        for (text, cell) in [
            ("=1+1", "'=1+1"),
            ("+SUM(A1)", "'+SUM(A1)"),
            ("-cmd", "'-cmd"),
            ("@A1", "'@A1"),
            ("\t=1", "'\t=1"),
            ("\r=1", "'\r=1"),
            ("-inf", "'-inf"),
            ("-12.5", "-12.5"),
            ("+3", "+3"),
            ("-1e3", "-1e3"),
            ("a=b", "a=b"),
            ("", ""),
        ] {
            assert_eq!(safe_cell(text), cell);
        }
    }

    #[test]
    fn cells_with_commas_quotes_and_line_ends_are_quoted() {
        let mut text = CsvText::new(&["a", "b"]);
        text.row(&["x,\"y\"\n", "=1"]);
        assert_eq!(text.finish(), "a,b\r\n\"x,\"\"y\"\"\n\",'=1\r\n");
    }
}
