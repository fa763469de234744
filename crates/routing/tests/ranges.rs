//! The file of number ranges against the metadata that it is made from.

#[path = "../examples/ranges/derive.rs"]
mod derive;

#[test]
fn the_file_is_what_the_metadata_gives() {
    let committed = include_str!("../data/ranges.csv");
    let made = derive::file();
    for (line, (there, should)) in committed.lines().zip(made.lines()).enumerate() {
        assert_eq!(there, should, "line {}: the metadata moved on; see the head of the file", line + 1);
    }
    assert_eq!(committed.lines().count(), made.lines().count());
}
