//! The routing table: which trunk carries a prefix.

use sea_orm::{
    ActiveValue::{NotSet, Set},
    EntityTrait, QueryOrder,
};
use tollgate_routing::route::{Band, Route};
use tollgate_types::{RouteId, TrunkId};

use crate::audit::{self, Change};
use crate::column;
use crate::entity::{route, trunk};
use crate::error::{Error, Result};
use crate::open::{By, Store};
use crate::versions::{self, Touched};

/// All routes, newest first.
pub async fn list(store: &Store) -> Result<Vec<Route>> {
    let rows = route::Entity::find().order_by_desc(route::Column::Id).all(store.read()).await?;
    rows.into_iter().map(read).collect()
}

/// Adds a route to an egress trunk; its `id` is given here.
pub async fn add(store: &Store, by: &By, route: &Route) -> Result<RouteId> {
    let writing = store.begin().await?;
    let trunk = trunk::Entity::find_by_id(route.trunk.0).one(&*writing).await?;
    let trunk = trunk.ok_or_else(|| Error::missing("trunk", route.trunk))?;
    if trunk.direction != "egress" {
        return Err(Error::Refused(format!("trunk {} is an ingress trunk: it takes no calls", trunk.name)));
    }
    let row = route::ActiveModel {
        id: NotSet,
        prefix: Set(route.prefix.digits().to_owned()),
        trunk_id: Set(route.trunk.0),
        priority: Set(i64::from(route.priority)),
        weight: Set(i64::from(route.weight)),
        band: Set(band_name(route.band).to_owned()),
        emergency: Set(route.emergency),
        created_at: Set(by.at.micros()),
    };
    let made = route::Entity::insert(row).exec_with_returning(&*writing).await?;
    let (subject, is_now) = (made.id.to_string(), serde_json::to_value(&made).ok());
    audit::note(&writing, by, Change { action: "add", noun: "route", subject: &subject, was: None, is_now }).await?;
    versions::touch(&writing, &[Touched::Routes]).await?;
    writing.commit().await?;
    Ok(RouteId(made.id))
}

/// Removes a route.
pub async fn remove(store: &Store, by: &By, id: RouteId) -> Result<()> {
    let writing = store.begin().await?;
    let row = route::Entity::find_by_id(id.0).one(&*writing).await?.ok_or_else(|| Error::missing("route", id))?;
    route::Entity::delete_by_id(id.0).exec(&*writing).await?;
    let (subject, was) = (id.to_string(), serde_json::to_value(&row).ok());
    audit::note(&writing, by, Change { action: "remove", noun: "route", subject: &subject, was, is_now: None }).await?;
    versions::touch(&writing, &[Touched::Routes]).await?;
    writing.commit().await
}

pub(crate) fn read(row: route::Model) -> Result<Route> {
    let place = format!("route {}", row.id);
    Ok(Route {
        id: RouteId(row.id),
        prefix: column::read(&row.prefix, &place)?,
        trunk: TrunkId(row.trunk_id),
        priority: column::count(row.priority, &place)?,
        weight: column::count(row.weight, &place)?,
        band: match row.band.as_str() {
            "all" => Band::All,
            "peak" => Band::Peak,
            "offpeak" => Band::OffPeak,
            _ => return Err(Error::corrupt(format!("{place}: band {:?}", row.band))),
        },
        emergency: row.emergency,
        enabled: true,
    })
}

fn band_name(band: Band) -> &'static str {
    match band {
        Band::All => "all",
        Band::Peak => "peak",
        Band::OffPeak => "offpeak",
    }
}
