/// Leaves a request out of all reports: it is counted as withheld, and nothing of it is recorded.
///
/// Put it into the extensions of a request before the layer sees it; later,
/// [`IdentitySlot::do_not_report`](crate::IdentitySlot::do_not_report) does the same.
///
/// ```
/// use tower_reconify::DoNotReport;
///
/// let mut request = http::Request::new(());
/// request.extensions_mut().insert(DoNotReport);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DoNotReport;

/// Leaves the content of a request and its answer out of the report: model, usage, ids, moments and lengths remain.
///
/// Put it into the extensions of a request before the layer sees it; later,
/// [`IdentitySlot::omit_content`](crate::IdentitySlot::omit_content) does the same.
///
/// ```
/// use tower_reconify::OmitContent;
///
/// let mut request = http::Request::new(());
/// request.extensions_mut().insert(OmitContent);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OmitContent;
