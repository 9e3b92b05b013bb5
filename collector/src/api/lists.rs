//! Lists and figures of what matches a search.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::State;
use serde_json::json;

use super::{Answer, Params, export, json_of, select, work};
use crate::shared::Shared;
use crate::store::Summary;
use crate::time::now;
use crate::view::{figures as view, overview};

fn is_interaction(row: &Summary) -> bool {
    !row.is_upload()
}

pub(super) async fn reports(State(shared): State<Arc<Shared>>, params: Params) -> Answer {
    let query = params.query()?;
    let (before, after) = (params.number::<u64>("before")?, params.number::<u64>("after")?);
    let limit = params.limit(200, 1000)?;
    let format = export::Format::read(&params)?;
    let is_meant =
        move |row: &Summary| before.is_none_or(|id| row.id < id) && after.is_none_or(|id| row.id > id);
    let is_page = format.is_none();
    let worker = Arc::clone(&shared);
    let (mut rows, total, matched, next) = work(worker, move |shared| {
        // Paging must not change what is counted.
        let (all, total) = select(shared, &query, 0, |_| true)?;
        let matched = all.len();
        let mut rows: Vec<_> = all.into_iter().filter(|row| is_meant(row)).collect();
        let mut next = None;
        if is_page {
            rows.reverse();
            next = rows.get(limit).and_then(|_| rows.get(limit - 1)).map(|row| row.id);
            rows.truncate(limit);
        }
        Ok((rows, total, matched, next))
    })
    .await?;
    match format {
        None => json_of(&json!({"total": total, "matched": matched, "reports": rows, "next": next})),
        Some(format) => {
            rows.retain(|row| format != export::Format::Csv || is_interaction(row));
            export::reports(shared, "reports", rows, format).await
        }
    }
}

pub(super) async fn sessions(State(shared): State<Arc<Shared>>, params: Params) -> Answer {
    let (query, limit) = (params.query()?, params.limit(200, 1000)?);
    let body = work(shared, move |shared| {
        let (rows, _) = select(shared, &query, 0, is_interaction)?;
        let mut sessions = overview::sessions(&rows, now());
        let matched = sessions.len();
        sessions.truncate(limit);
        let total = if query.is_empty { matched } else { shared.store.catalog().sessions() };
        Ok(json!({"total": total, "matched": matched, "sessions": sessions}))
    });
    json_of(&body.await?)
}

pub(super) async fn users(State(shared): State<Arc<Shared>>, params: Params) -> Answer {
    let (query, limit) = (params.query()?, params.limit(200, 1000)?);
    let body = work(shared, move |shared| {
        let (rows, _) = select(shared, &query, 0, is_interaction)?;
        let mut users = overview::users(&rows);
        let matched = users.len();
        users.truncate(limit);
        let all = overview::rows(&shared.store.catalog(), 0, 0);
        let keys: std::collections::HashSet<_> = all
            .iter()
            .filter(|row| is_interaction(row))
            .map(|row| row.user.as_ref().map(|user| &user.key))
            .collect();
        Ok(json!({"total": keys.len(), "matched": matched, "users": users}))
    });
    json_of(&body.await?)
}

pub(super) async fn figures(State(shared): State<Arc<Shared>>, params: Params) -> Answer {
    let query = params.query()?;
    let buckets = params.number("buckets")?.unwrap_or(48);
    let figures = work(shared, move |shared| {
        let (rows, _) = select(shared, &query, 0, is_interaction)?;
        let size = shared.store.catalog().size();
        let mut figures = view::figures(&rows, buckets);
        figures.total = size.reports - size.uploads;
        Ok(figures)
    });
    json_of(&figures.await?)
}

pub(super) async fn problems(State(shared): State<Arc<Shared>>, params: Params) -> Answer {
    let query = params.query()?;
    let problems =
        work(shared, move |shared| Ok(overview::problems(&select(shared, &query, 0, |_| true)?.0)));
    json_of(&json!({"problems": problems.await?}))
}

pub(super) async fn refused(State(shared): State<Arc<Shared>>, params: Params) -> Answer {
    let limit = params.limit(100, 1000)?;
    let total = shared.counters.refused.load(Ordering::Relaxed);
    let (refused, kept) = work(shared, move |shared| Ok(shared.store.refusals(limit)?)).await?;
    json_of(&json!({"total": total, "kept": kept, "refused": refused}))
}
