//! A call: two dialogs, one admission, and a file for each thing that can happen to it.
