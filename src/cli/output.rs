//! Writing to stdout.

use super::CliError;
use std::io::{ErrorKind, Write};

/// Writes `text` to stdout. A reader that has read enough and closed the pipe (`| head`) is no failure.
pub fn print(text: &str) -> Result<(), CliError> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(CliError::failed(format!("stdout: {error}"))),
        _ => Ok(()),
    }
}

/// Columns as wide as their widest cell; the first `left` columns to the left, the others to the right.
pub fn aligned(rows: &[Vec<String>], left: usize) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |k: usize| rows.iter().filter_map(|row| row.get(k)).map(|cell| cell.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = String::new();
    for row in rows {
        let mut line = String::new();
        for (k, cell) in row.iter().enumerate() {
            let room = " ".repeat(widths[k] - cell.chars().count());
            let gap = if k == 0 { "" } else { "  " };
            line += &if k < left { format!("{gap}{cell}{room}") } else { format!("{gap}{room}{cell}") };
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows = [vec!["run".to_string(), "1.5".to_string()], vec!["a".to_string(), "12.25".to_string()]];
        assert_eq!(aligned(&rows, 1), "run    1.5\na    12.25\n");
    }
}
