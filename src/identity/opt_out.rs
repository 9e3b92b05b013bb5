use http::Extensions;

/// Opts a request out of all reports: it is counted as withheld, and nothing of it is recorded.
///
/// Put it into the extensions of a request before the layer sees it. It also covers the calls made
/// in the scope of the [`identify`](crate::identify) layer while the request is handled. To opt out
/// later, use [`IdentitySlot::do_not_report`](crate::IdentitySlot::do_not_report).
///
/// ```
/// use tower_reconify::DoNotReport;
///
/// let mut request = http::Request::new(());
/// request.extensions_mut().insert(DoNotReport);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DoNotReport;

/// Removes the content of a request and its response from the report: model, usage, ids, times and
/// lengths remain.
///
/// Put it into the extensions of a request before the layer sees it. To do so later, use
/// [`IdentitySlot::omit_content`](crate::IdentitySlot::omit_content).
///
/// ```
/// use tower_reconify::OmitContent;
///
/// let mut request = http::Request::new(());
/// request.extensions_mut().insert(OmitContent);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OmitContent;

/// How much of an exchange is left out of reports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum OptOut {
    #[default]
    Nothing,
    Content,
    Everything,
}

impl OptOut {
    pub(crate) fn of(extensions: &Extensions) -> Self {
        if extensions.get::<DoNotReport>().is_some() {
            Self::Everything
        } else if extensions.get::<OmitContent>().is_some() {
            Self::Content
        } else {
            Self::Nothing
        }
    }
}
