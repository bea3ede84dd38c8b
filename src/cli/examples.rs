//! Examples at the end of each command's help. A test parses every one of them.

/// For the program as a whole.
#[cfg(feature = "live")]
pub(super) const ALL: &str = "\
Examples:
  # Policies from a capture and the cluster's objects
  netpol-gen learn --read node.pcap --inventory cluster.yaml

  # Capture on this node for an hour, then write policies
  netpol-gen learn --duration 1h

  # Would the policies deny later traffic?
  netpol-gen verify -f policies --read later.pcap --inventory cluster.yaml

  # In which steps can they be applied?
  netpol-gen plan -f policies --inventory cluster.yaml";

/// For the program as a whole, in a build without live captures.
#[cfg(not(feature = "live"))]
pub(super) const ALL: &str = "\
Examples:
  # Policies from a capture and the cluster's objects
  netpol-gen learn --read node.pcap --inventory cluster.yaml

  # Would the policies deny later traffic?
  netpol-gen verify -f policies --read later.pcap --inventory cluster.yaml

  # In which steps can they be applied?
  netpol-gen plan -f policies --inventory cluster.yaml";

/// For `learn`.
#[cfg(feature = "live")]
pub(super) const LEARN: &str = "\
Examples:
  # Policies from a capture and the cluster's objects
  netpol-gen learn --read node.pcap --inventory cluster.yaml

  # Several captures, for two namespaces only
  netpol-gen learn --read captures/ --inventory cluster.yaml -n prod -n staging

  # Capture on this node for an hour and ask the cluster meanwhile
  netpol-gen learn --duration 1h --output policies

  # One YAML stream on standard output
  netpol-gen learn --read node.pcap --inventory cluster.yaml --output -

  # In a pipeline: fail on serious findings
  netpol-gen learn --read node.pcap --inventory cluster.yaml --deny serious";

/// For `learn`, in a build without live captures.
#[cfg(not(feature = "live"))]
pub(super) const LEARN: &str = "\
Examples:
  # Policies from a capture and the cluster's objects
  netpol-gen learn --read node.pcap --inventory cluster.yaml

  # Several captures, for two namespaces only
  netpol-gen learn --read captures/ --inventory cluster.yaml -n prod -n staging

  # One YAML stream on standard output
  netpol-gen learn --read node.pcap --inventory cluster.yaml --output -

  # In a pipeline: fail on serious findings
  netpol-gen learn --read node.pcap --inventory cluster.yaml --deny serious";

/// For `capture`.
#[cfg(feature = "live")]
pub(super) const CAPTURE: &str = "\
Examples:
  # Record this node for an hour
  netpol-gen capture --duration 1h --output node-a.flows.zst

  # Only the pods' interfaces
  netpol-gen capture --interface 'veth*' --output node-a.flows.zst

  # Remove the payload from a capture before you pass it on
  netpol-gen capture --read node.pcap --output node.flows.zst";

/// For `capture` in a build without live captures.
#[cfg(not(feature = "live"))]
pub(super) const CAPTURE: &str = "\
Examples:
  # Remove the payload from a capture before you pass it on
  netpol-gen capture --read node.pcap --output node.flows.zst";

/// For `verify`.
pub(super) const VERIFY: &str = "\
Examples:
  # What would these policies deny?
  netpol-gen verify -f policies --read later.pcap --inventory cluster.yaml

  # What would the policies in the cluster deny?
  netpol-gen verify -f cluster --read later.pcap --inventory cluster.yaml

  # Fail if the policies of prod allow more than was used
  netpol-gen verify -f policies --read later.pcap --inventory cluster.yaml -n prod --deny-excess";

/// For `explain`.
pub(super) const EXPLAIN: &str = "\
Examples:
  # Why is this denied, and which rule would allow it?
  netpol-gen explain -f policies --from staging/api --to prod/db --port 3306 --inventory cluster.yaml

  # A DNS name outside the cluster, known from a capture
  netpol-gen explain -f policies --from prod/web --to api.example.com --port 443 --read node.pcap --inventory cluster.yaml";

/// For `diff`.
pub(super) const DIFF: &str = "\
Examples:
  # What do the new policies allow or deny in addition?
  netpol-gen diff policies new-policies --inventory cluster.yaml

  # What would change in the cluster?
  netpol-gen diff cluster policies --inventory cluster.yaml";

/// For `plan`.
pub(super) const PLAN: &str = "\
Examples:
  # Steps for all namespaces, on standard output
  netpol-gen plan -f policies --inventory cluster.yaml

  # PLAN.md beside the policies, checked against later traffic
  netpol-gen plan -f policies --read later.pcap --inventory cluster.yaml --output policies

  # One namespace, with a blocker that was looked into
  netpol-gen plan -f policies --inventory cluster.yaml -n prod --accept port-not-called";

/// For `findings`.
pub(super) const FINDINGS: &str = "\
Examples:
  # All findings there can be
  netpol-gen findings

  # One of them in full
  netpol-gen findings metadata-address

  # For programs
  netpol-gen findings --format json";

/// For `inventory`.
#[cfg(feature = "cluster")]
pub(super) const INVENTORY: &str = "\
Examples:
  # Save the cluster's objects once
  netpol-gen inventory --output cluster.json

  # Record changes for an hour, beside a capture
  netpol-gen inventory --watch 1h --output cluster.inventory.zst

  # Print the ClusterRole that this needs
  netpol-gen inventory --print-role";

/// For `interfaces`.
#[cfg(feature = "live")]
pub(super) const INTERFACES: &str = "\
Examples:
  # A table
  netpol-gen interfaces

  # For programs
  netpol-gen interfaces --format json";

/// For `completions`.
pub(super) const COMPLETIONS: &str = "\
Examples:
  # bash, for this session
  source <(netpol-gen completions bash)

  # zsh, for good
  netpol-gen completions zsh > \"${fpath[1]}/_netpol-gen\"

  # fish, for good
  netpol-gen completions fish > ~/.config/fish/completions/netpol-gen.fish";
