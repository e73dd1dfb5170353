//! The renamer against the shapes that SoftEther's source has, and those that it must refuse.

#[path = "../build/rename.rs"]
mod rename;

use rename::{RenameError, rename_definition};

#[test]
fn only_the_definition_changes() {
    let source = "BLOCK *NewBlock(void *data, UINT size, int compress);\r\n// NewBlock(\r\nBLOCK *NewBlock(void *data, UINT size, int compress)\r\n{\r\n\treturn NewBlock(data, size, 0);\r\n}\r\n";
    let expected = source.replace(
        "BLOCK *NewBlock(void *data, UINT size, int compress)\r\n{",
        "BLOCK *c_NewBlock(void *data, UINT size, int compress)\r\n{",
    );
    assert_eq!(rename_definition(source, "NewBlock").unwrap(), expected);
}

#[test]
fn parameters_may_span_lines_and_hold_function_pointers() {
    let source = "void Sort(LIST *o,\n\tint (*compare)(void *, void *))\n{\n}\n";
    assert!(rename_definition(source, "Sort").unwrap().starts_with("void c_Sort(LIST *o,"));
}

#[test]
fn a_longer_name_is_another_function() {
    let source = "UINT ReadFifoEx(FIFO *f)\n{\n}\nUINT PeekReadFifo(FIFO *f)\n{\n}\n";
    assert_eq!(rename_definition(source, "ReadFifo"), Err(RenameError::NotFound));
}

#[test]
fn what_cannot_be_swapped_is_refused_with_its_line() {
    let twice = "#ifdef A\nvoid F()\n{\n}\n#else\nvoid F()\n{\n}\n#endif\n";
    assert_eq!(rename_definition(twice, "F"), Err(RenameError::Ambiguous(vec![2, 6])));
    assert_eq!(rename_definition("\nstatic void F()\n{\n}\n", "F"), Err(RenameError::Static(2)));
    assert_eq!(rename_definition("void F(char *f, ...)\n{\n}\n", "F"), Err(RenameError::Variadic(1)));
    assert_eq!(rename_definition("void F();\n\tF();\n", "F"), Err(RenameError::NotFound));
    assert_eq!(rename_definition("", "F"), Err(RenameError::NotFound));
}

#[test]
fn messages_name_file_line_and_remedy() {
    let message = RenameError::Static(7).message("F", "Cedar/Connection.c");
    assert!(message.contains("Cedar/Connection.c:7") && message.contains("static"), "{message}");
}
