//! All integration tests, in one binary: every further binary would link polars again.

mod calendar;
