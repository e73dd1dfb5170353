//! Programs that would overrun a buffer or use freed memory in C, and do not compile here.

#[test]
fn what_does_not_compile() {
    trybuild::TestCases::new().compile_fail("tests/cases/*.rs");
}
