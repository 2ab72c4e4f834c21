//! Which instances of a service there are, and which of them are well. Source: Curator's
//! `ServiceDiscovery` (curator-x-discovery), whose layout and JSON this is.
//!
//! 1. An instance has an ephemeral znode `<base>/<service>/<id>` with its address as JSON.
//! 2. As long as it is not well, its own opinion, it says so there (`enabled`).
//! 3. Whoever uses the service keeps a [`TreeCache`] of the instances.
//!
//! **Session loss.** When an instance's session ends, it is not found any more; for up to its
//! session timeout others still find an instance that is gone, and have to try another one. An
//! instance has to register again with a new session. Users keep what they knew last.
//!
//! **Cost.** One write for each registration and change of health; for users that of a
//! [`TreeCache`].

use crate::group::{Group, Membership};
use crate::node_cache::NodeData;
use crate::parents::{child, name, parent};
use crate::patience::names_below;
use crate::tree_cache::{Change, TreeCache};
use grevy_client::{Client, Error};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Services below a base path. Curator's `ServiceDiscovery` of the same path takes part.
///
/// ```
/// # grevy_testing::run(async |client| {
/// use grevy_recipes::{Discovery, Instance};
///
/// let discovery = Discovery::new(&client, "/services");
/// let here = Instance::new("search", "host-7", "10.0.0.7", 8080);
/// let mut registration = discovery.register(here).await?;
/// registration.set_enabled(false).await?;
///
/// let mut search = discovery.watch("search").await?;
/// for instance in search.instances().filter(|instance| instance.is_enabled) {
///     println!("{}:{:?}", instance.address, instance.port);
/// }
/// # registration.set_enabled(true).await?;
/// search.next().await?;
/// # assert!(search.instances().all(|instance| instance.is_enabled));
/// # Ok(())
/// # });
/// ```
#[derive(Debug, Clone)]
pub struct Discovery {
    client: Client,
    base: String,
}

/// An instance of a service.
///
/// ```
/// # grevy_testing::run(async |client| {
/// use grevy_recipes::{Discovery, Instance};
///
/// let discovery = Discovery::new(&client, "/services");
/// let mut here = Instance::new("search", "host-7", "10.0.0.7", 8080);
/// here.ssl_port = Some(8443);
/// here.payload = serde_json::json!({ "zone": "b" });
/// let registration = discovery.register(here).await?;
/// # Ok(())
/// # });
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Instance {
    /// The service.
    pub service: String,
    /// What tells it from other instances.
    pub id: String,
    /// Its host.
    pub address: String,
    /// Its port.
    pub port: Option<u16>,
    /// Its port for TLS.
    pub ssl_port: Option<u16>,
    /// Whatever else users should know. Java's users expect an object with a `@class`.
    pub payload: Value,
    /// When it was registered, in ms since 1970.
    pub registered_ms: i64,
    /// Whether it is well.
    pub is_enabled: bool,
}

/// An instance's entry. Dropping it takes it back.
#[derive(Debug)]
#[must_use = "dropping it takes the registration back"]
pub struct Registration {
    membership: Membership,
    instance: Instance,
}

/// The instances of a service, kept up to date by whoever calls [`next`](Self::next).
#[derive(Debug)]
pub struct ServiceView {
    tree: TreeCache,
    instances: BTreeMap<String, Instance>,
}

impl Discovery {
    /// Of services below a path, whose znodes need not exist.
    pub fn new(client: &Client, base: &str) -> Self {
        Self {
            client: client.clone(),
            base: base.to_owned(),
        }
    }

    /// Makes an instance known. Waits as long as another session has registered the same id.
    ///
    /// # Errors
    ///
    /// If the session ends; `NoAuth` and the like.
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_recipes::{Discovery, Instance};
    ///
    /// let discovery = Discovery::new(&client, "/services");
    /// let here = Instance::new("search", "host-7", "10.0.0.7", 8080);
    /// let registration = discovery.register(here).await?;
    /// assert_eq!(discovery.services().await?, ["search"]);
    /// registration.unregister().await?;
    /// # Ok(())
    /// # });
    /// ```
    pub async fn register(&self, instance: Instance) -> Result<Registration, Error> {
        let group = Group::new(&self.client, &child(&self.base, &instance.service));
        let membership = group.join(&instance.id, &instance.to_json()).await?;
        Ok(Registration {
            membership,
            instance,
        })
    }

    /// The names of all services that have or had instances.
    ///
    /// # Errors
    ///
    /// If the session ends; `NoAuth`.
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_recipes::Discovery;
    ///
    /// for service in Discovery::new(&client, "/services").services().await? {
    ///     println!("{service}");
    /// }
    /// # Ok(())
    /// # });
    /// ```
    pub async fn services(&self) -> Result<Vec<String>, Error> {
        let mut names = names_below(&self.client, &self.base).await?;
        names.sort();
        Ok(names)
    }

    /// Follows the instances of a service.
    ///
    /// # Errors
    ///
    /// As those of [`TreeCache::start`].
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_recipes::{Discovery, Instance};
    ///
    /// let discovery = Discovery::new(&client, "/services");
    /// # let here = Instance::new("search", "host-7", "10.0.0.7", 8080);
    /// # let registration = discovery.register(here).await?;
    /// let search = discovery.watch("search").await?;
    /// let ids: Vec<_> = search.instances().map(|instance| &instance.id).collect();
    /// # assert_eq!(ids, ["host-7"]);
    /// # Ok(())
    /// # });
    /// ```
    pub async fn watch(&self, service: &str) -> Result<ServiceView, Error> {
        let tree = TreeCache::start(&self.client, &child(&self.base, service)).await?;
        let nodes = tree.nodes();
        let instances = nodes.filter_map(|(path, node)| {
            let instance = read_instance(tree.root(), path, node)?;
            Some((path.to_owned(), instance))
        });
        Ok(ServiceView {
            instances: instances.collect(),
            tree,
        })
    }
}

impl Registration {
    /// Says whether the instance is well.
    ///
    /// # Errors
    ///
    /// If the session ends; `NoNode` if the entry was deleted by somebody.
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_recipes::{Discovery, Instance};
    ///
    /// let discovery = Discovery::new(&client, "/services");
    /// let here = Instance::new("search", "host-7", "10.0.0.7", 8080);
    /// let mut registration = discovery.register(here).await?;
    /// // Too busy for more.
    /// registration.set_enabled(false).await?;
    /// let search = discovery.watch("search").await?;
    /// assert!(search.instances().all(|instance| !instance.is_enabled));
    /// # Ok(())
    /// # });
    /// ```
    pub async fn set_enabled(&mut self, is_enabled: bool) -> Result<(), Error> {
        self.instance.is_enabled = is_enabled;
        self.membership.set_data(&self.instance.to_json()).await
    }

    /// The entry's znode: when it is doubtful, and its token.
    pub fn membership(&self) -> &Membership {
        &self.membership
    }

    /// Takes the registration back, and waits for that.
    ///
    /// # Errors
    ///
    /// As those of [`Hold::release`](crate::Hold::release).
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_recipes::{Discovery, Instance};
    ///
    /// let discovery = Discovery::new(&client, "/services");
    /// let here = Instance::new("search", "host-7", "10.0.0.7", 8080);
    /// let registration = discovery.register(here).await?;
    /// registration.unregister().await?;
    /// assert_eq!(discovery.watch("search").await?.instances().count(), 0);
    /// # Ok(())
    /// # });
    /// ```
    pub async fn unregister(self) -> Result<(), Error> {
        self.membership.leave().await
    }
}

impl ServiceView {
    /// The instances as they were last seen, the unwell ones included.
    pub fn instances(&self) -> impl Iterator<Item = &Instance> {
        self.instances.values()
    }

    /// Waits until the instances have changed. May be cancelled without losing anything.
    ///
    /// # Errors
    ///
    /// As those of [`TreeCache::next`].
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_recipes::{Discovery, Instance};
    ///
    /// let discovery = Discovery::new(&client, "/services");
    /// let mut search = discovery.watch("search").await?;
    /// # let here = Instance::new("search", "host-7", "10.0.0.7", 8080);
    /// # let registration = discovery.register(here).await?;
    /// search.next().await?;
    /// println!("{} instances now", search.instances().count());
    /// # assert_eq!(search.instances().count(), 1);
    /// # Ok(())
    /// # });
    /// ```
    pub async fn next(&mut self) -> Result<(), Error> {
        loop {
            let (path, now) = match self.tree.next().await? {
                Change::Added(path) | Change::Changed(path) => {
                    let node = self.tree.get(&path);
                    let root = self.tree.root();
                    let instance = node.and_then(|node| read_instance(root, &path, node));
                    (path, instance)
                }
                Change::Removed(path, _) => (path, None),
            };
            let before = match now.clone() {
                Some(instance) => self.instances.insert(path, instance),
                None => self.instances.remove(&path),
            };
            if before != now {
                return Ok(());
            }
        }
    }
}

/// `None` for the service's own znode, and for what is no instance.
fn read_instance(root: &str, path: &str, node: &NodeData) -> Option<Instance> {
    if parent(path) != Some(root) {
        return None;
    }
    Instance::from_json(name(path), &node.data)
}

impl Instance {
    /// An instance that is well, without a payload.
    pub fn new(service: &str, id: &str, address: &str, port: u16) -> Self {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let now = now.map_or(0, |since| since.as_millis());
        Self {
            service: service.to_owned(),
            id: id.to_owned(),
            address: address.to_owned(),
            port: Some(port),
            ssl_port: None,
            payload: Value::Null,
            registered_ms: i64::try_from(now).unwrap_or(i64::MAX),
            is_enabled: true,
        }
    }

    fn to_json(&self) -> Vec<u8> {
        let json = json!({
            "name": self.service,
            "id": self.id,
            "address": self.address,
            "port": self.port,
            "sslPort": self.ssl_port,
            "payload": self.payload,
            "registrationTimeUTC": self.registered_ms,
            "serviceType": "DYNAMIC",
            "uriSpec": null,
            "enabled": self.is_enabled,
        });
        json.to_string().into_bytes()
    }

    /// Older versions of Curator leave `enabled` out.
    fn from_json(id: &str, bytes: &[u8]) -> Option<Self> {
        let json: Value = serde_json::from_slice(bytes).ok()?;
        let text = |key: &str| Some(json.get(key)?.as_str()?.to_owned());
        let port = |key: &str| u16::try_from(json.get(key)?.as_u64()?).ok();
        Some(Self {
            service: text("name")?,
            id: text("id").unwrap_or_else(|| id.to_owned()),
            address: text("address").unwrap_or_default(),
            port: port("port"),
            ssl_port: port("sslPort"),
            payload: json.get("payload").cloned().unwrap_or_default(),
            registered_ms: json
                .get("registrationTimeUTC")
                .and_then(Value::as_i64)
                .unwrap_or_default(),
            is_enabled: json.get("enabled").and_then(Value::as_bool).unwrap_or(true),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instances_are_read_as_they_were_written() {
        let mut instance = Instance::new("search", "7", "::1", 80);
        instance.is_enabled = false;
        instance.payload = json!({"zone": "b"});
        assert_eq!(
            Instance::from_json("7", &instance.to_json()),
            Some(instance)
        );
    }

    /// As curator-x-discovery writes it by default.
    #[test]
    fn older_entries_are_well() {
        let text = br#"{"name":"s","id":"1","address":"h","port":1,"sslPort":null,"payload":null,
            "registrationTimeUTC":5,"serviceType":"DYNAMIC","uriSpec":null}"#;
        let instance = Instance::from_json("1", text).expect("an instance");
        assert!(instance.is_enabled);
        assert_eq!((instance.port, instance.ssl_port), (Some(1), None));
        assert_eq!(Instance::from_json("1", b"10.0.0.1"), None);
    }
}
