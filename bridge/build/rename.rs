//! Renames one function definition in the text of a C file: `NewBlock(` becomes `c_NewBlock(`.
//!
//! Calls keep the old name, which Rust then defines, so calls inside the same file are swapped too.
//! It relies on the layout of SoftEther's source and fails loudly where a file departs from it: a definition
//! starts at column 0 and has `{` at column 0 after its parameter list.

/// Why a definition could not be renamed. Lines count from 1.
#[derive(Debug, PartialEq, Eq)]
pub enum RenameError {
    /// No definition of that name starts at column 0.
    NotFound,
    /// The definition stands at several lines, as in the two branches of an `#ifdef`.
    Ambiguous(Vec<usize>),
    /// A static function: calls cannot leave the file.
    Static(usize),
    /// A variadic function: stable Rust cannot define one.
    Variadic(usize),
}

impl RenameError {
    /// The message of a failed build, naming file, line and what to do.
    pub fn message(&self, symbol: &str, file: &str) -> String {
        match self {
            Self::NotFound => format!(
                "{file}: no definition of `{symbol}` starts at column 0. Correct the symbol or the file in rust/swaps/src/registry.rs."
            ),
            Self::Ambiguous(lines) => format!(
                "{file}: `{symbol}` is defined at lines {lines:?}. Swap a function that is defined once, or one that calls it."
            ),
            Self::Static(line) => format!(
                "{file}:{line}: `{symbol}` is static, so its calls cannot be redirected. Swap the function that calls it."
            ),
            Self::Variadic(line) => format!(
                "{file}:{line}: `{symbol}` is variadic, which Rust cannot define. Swap the function that calls it."
            ),
        }
    }
}

/// The text of `source` with the definition of `symbol` renamed to `c_<symbol>`; nothing else changes.
pub fn rename_definition(source: &str, symbol: &str) -> Result<String, RenameError> {
    let found = definitions(source, symbol);
    let [definition] = found.as_slice() else {
        return Err(match found.as_slice() {
            [] => RenameError::NotFound,
            several => RenameError::Ambiguous(several.iter().map(|d| d.line).collect()),
        });
    };
    if definition.is_static {
        return Err(RenameError::Static(definition.line));
    }
    if definition.is_variadic {
        return Err(RenameError::Variadic(definition.line));
    }
    let (before, after) = source.split_at(definition.offset);
    Ok(format!("{before}c_{after}"))
}

struct Definition {
    /// Byte offset of the symbol in the file.
    offset: usize,
    line: usize,
    is_static: bool,
    is_variadic: bool,
}

fn definitions(source: &str, symbol: &str) -> Vec<Definition> {
    let mut found = Vec::new();
    let mut line_start = 0;
    for (index, line) in source.split_inclusive('\n').enumerate() {
        if let Some(column) = symbol_column(line, symbol) {
            let offset = line_start + column;
            if let Some(parameters) = parameters_of_definition(&source[offset + symbol.len()..]) {
                found.push(Definition {
                    offset,
                    line: index + 1,
                    is_static: line.split_whitespace().next() == Some("static"),
                    is_variadic: parameters.contains("..."),
                });
            }
        }
        line_start += line.len();
    }
    found
}

/// Where `symbol(` stands in a line that starts at column 0 with a type or a storage class.
fn symbol_column(line: &str, symbol: &str) -> Option<usize> {
    if !line.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        return None;
    }
    line.match_indices(symbol).map(|(column, _)| column).find(|&column| {
        let starts_a_word = !line[..column].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        column > 0 && starts_a_word && line[column + symbol.len()..].starts_with('(')
    })
}

/// The parameter list, if what follows it is a body with `{` at column 0 and not the `;` of a prototype.
fn parameters_of_definition(after_symbol: &str) -> Option<&str> {
    let mut depth = 0;
    let end = after_symbol.find(|c| {
        depth += match c {
            '(' => 1,
            ')' => -1,
            _ => 0,
        };
        depth == 0
    })?;
    let body = after_symbol[end + 1..].trim_start_matches([' ', '\t', '\r']);
    body.strip_prefix('\n')?.starts_with('{').then(|| &after_symbol[..=end])
}
