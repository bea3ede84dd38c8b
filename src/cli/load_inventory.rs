//! Who is who: an inventory from files, or from the cluster as it is now.

use std::sync::Arc;

use crate::inventory::{self, Inventory, InventoryOptions};

use super::args_checks::Known;
use super::failure::Failure;

/// The inventory that was named, or that of the cluster.
pub(super) fn inventory(arguments: &Known) -> Result<Arc<Inventory>, Failure> {
    let options =
        InventoryOptions { pod_ranges: arguments.ranges.pod_cidr.clone(), service_ranges: arguments.ranges.service_cidr.clone() };
    match arguments.inventory.as_slice() {
        #[cfg(feature = "cluster")]
        [] => Ok(Arc::new(present(&arguments.cluster, &options)?)),
        #[cfg(not(feature = "cluster"))]
        [] => Err(Failure::NoInventory),
        given => Ok(Arc::new(inventory::snapshot::load(given, &options)?)),
    }
}

/// The inventory of the cluster as it is now.
#[cfg(feature = "cluster")]
pub(super) fn present(cluster: &super::args::Cluster, options: &InventoryOptions) -> Result<Inventory, Failure> {
    let listing = crate::cluster::list(&cluster.access())?;
    let mut builder = inventory::InventoryBuilder::new();
    builder.apply_values(listing.objects);
    for line in super::inventory::warnings(&listing.left_out) {
        super::console::warn(&line);
    }
    Ok(builder.build(options))
}
