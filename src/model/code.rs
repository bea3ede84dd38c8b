//! What kinds of findings there are, with everything that is said about each.
//!
//! One table holds the code, the severity, what was seen, why it matters and what to do. The summary of a run, the review and
//! `netpol-gen findings` all take their text from it. A text is one line of the table, however long.

use std::fmt;

/// How much attention a finding needs; worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Good to know.
    Note,
    /// Read before applying.
    Warning,
    /// Applying the policies as they are may break or open something.
    Serious,
}

impl Severity {
    /// All severities, worst last.
    pub const ALL: &'static [Self] = &[Self::Note, Self::Warning, Self::Serious];

    /// The name that the command line and the review use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Serious => "serious",
        }
    }
}

macro_rules! codes {
    ($($variant:ident $code:literal $severity:ident $seen:literal $why:literal $hint:literal;)*) => {
        /// The kind of a finding; its name is stable.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $(#[doc = $seen] $variant,)* }

        impl Code {
            /// All codes, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The stable name in kebab case.
            pub const fn name(self) -> &'static str { match self { $(Self::$variant => $code,)* } }

            /// How bad a finding of this kind is.
            pub const fn severity(self) -> Severity { match self { $(Self::$variant => Severity::$severity,)* } }

            /// What was seen, as sentences.
            pub const fn seen(self) -> &'static str { match self { $(Self::$variant => $seen,)* } }

            /// Why it matters, as sentences.
            pub const fn why(self) -> &'static str { match self { $(Self::$variant => $why,)* } }

            /// What to do about it, without a capital at the beginning and a full stop at the end.
            pub const fn hint(self) -> &'static str { match self { $(Self::$variant => $hint,)* } }
        }
    };
}

codes! {
    UnattributedAddress "unattributed-address" Serious
        "Traffic used an address inside the pod or Service ranges. The inventory does not say which pod or Service had it at that time."
        "A rule needs a workload. These connections are in no policy, and the default deny will stop them."
        "no rule was written: add an inventory taken while this address was in use (--inventory is repeatable)";
    AddressClaimedTwice "address-claimed-twice" Serious
        "Two pods of different workloads have the same address at the same time in the inventory."
        "One of them is wrong, so the traffic belongs to neither for certain. No rule was written for that time."
        "take the inventory again, or remove the pod that no longer exists from it, then learn again";
    TunnelNotBetweenNodes "tunnel-not-between-nodes" Serious
        "Packets look like the cluster's overlay network, but they did not travel between nodes."
        "A pod can wrap any packet in such a tunnel to make up connections. What is inside was ignored."
        "find out who sends it, and why; if both ends are yours, name them with --tunnel-endpoint CIDR and learn again";
    SpoofedSource "spoofed-source" Serious
        "A pod sent packets with a source address that is not its own."
        "Only a program that forges packets does that. No rule was written for what it sent."
        "find out what runs in this pod, and take NET_RAW from it (securityContext.capabilities.drop)";
    ForwardingPod "forwarding-pod" Serious
        "A pod received, at its own interface, the answers to packets that carry other source addresses."
        "The pod forwards traffic for others, such as a VPN gateway, or pretends to. Connections that were seen only through it have no rule until a decision accepts them; their rules are in NAMESPACE/_quarantine/."
        "if the pod is meant to forward, accept the connections of those behind it in netpol-gen.yaml and learn again; if not, find out what runs in it";
    SenderNotShown "sender-not-shown" Note
        "A capture does not show which pod sent a packet, because no interface and no MAC address in it belongs to one pod alone. Captures on a bridge, an uplink or a mirror port, and of raw IP, are like that."
        "Packets that a pod forges cannot be told from those of the pod whose address they carry. They count like any other."
        "if pods may send raw packets (NET_RAW), capture at their own interfaces (their veth on the node, or `any`)";
    UnknownTunnelEnd "unknown-tunnel-end" Serious
        "Tunnels ended at addresses that are no node in the inventory."
        "They may be deleted nodes or a traffic mirror. What is inside was ignored, so connections may be missing."
        "if these were nodes or receive mirrored traffic, learn again with --tunnel-endpoint CIDR for each, or with an inventory of that time";
    UncheckedTunnels "unchecked-tunnels" Serious
        "Tunnels were opened, although the inventory has no nodes to compare their ends with."
        "Any pod could have sent this traffic, so rules may rest on forged connections."
        "add the nodes to the inventory (kubectl get nodes -o yaml), or name the ends with --tunnel-endpoint CIDR, and learn again";
    OverlayNotOpened "overlay-not-opened" Warning
        "Traffic between nodes has the form of an overlay network, and was not opened."
        "The pod traffic inside was not seen. Its connections are in no policy."
        "name a VXLAN port with --vxlan-port, or capture at the pods' own interfaces";
    AddressReused "address-reused" Serious
        "An address moved from one workload to another, and the traffic falls into the moment of the change."
        "It may belong to either workload. No rule was written for it, and one may be missing."
        "capture longer, and watch the cluster during the capture (netpol-gen inventory --watch)";
    MetadataAddress "metadata-address" Serious
        "A pod called the cloud's metadata service (169.254.169.254 or the like) and was answered."
        "This service hands out the cloud's credentials. The policy is withheld in NAMESPACE/_quarantine/ until somebody decides."
        "put an entry for this connection under accept or reject in netpol-gen.yaml, then learn again";
    FoundByScan "found-by-scan" Serious
        "A client that scanned many addresses or ports got an answer here."
        "The client found this server by trying; it may never have meant to use it. A rule would open it to the scanner."
        "find out who scanned, and from where, before you allow it; --quarantine keeps the rules out of the policies";
    BroadSelector "broad-selector" Serious
        "The labels of a workload's pods also match pods of other workloads."
        "Every selector for this workload includes the others, so the policies allow more than was observed."
        "give the workload a label of its own, then learn again";
    SelectorMayNotLast "selector-may-not-last" Serious
        "A selector uses a label that changes with the next event, such as a rollout or a failover."
        "After that event no policy selects the pods, and the default deny stops them."
        "give the pods a label that stays (in the pod template or the custom resource), then learn again; or learn again after each such event";
    SelectorMatchesNothing "selector-matches-nothing" Serious
        "A policy's selector matches no pod any more, while the pods that need the policy exist with other labels."
        "The policy has no effect, and the default deny stops what it was written to allow."
        "learn again, and give the pods a label that stays";
    LabelIgnoredByPlugin "label-ignored-by-plugin" Serious
        "A selector uses a label that Cilium excludes from its security identities."
        "Cilium does not see the label, so the selector does not mean what it says."
        "give the pods another label and learn again, or include this one: `labels` in the ConfigMap cilium-config";
    WorkloadNotSelectable "workload-not-selectable" Serious
        "No label selector can select the pods of this workload."
        "No policy can be written for it, and the default deny will stop its traffic."
        "give its pods a label of their own, then learn again";
    ServiceWithoutBackends "service-without-backends" Serious
        "A Service was called, and the inventory has no pod behind it at that time."
        "NetworkPolicy applies to pods, not to Services. No rule could be written for these calls."
        "add an inventory that has the Service's pods or EndpointSlices at that time";
    ServicesMissing "services-missing" Serious
        "The inventory has no Service at all."
        "Calls to Service addresses look like calls to addresses outside the cluster, so their rules are wrong."
        "add services and endpointslices to the inventory, or give the range with --service-cidr";
    TooManyEdges "too-many-edges" Serious
        "There were more different connections than netpol-gen keeps; those with outside addresses were left out."
        "The policies will deny the ones left out."
        "raise --edges, learn from parts of the capture, or allow the outside addresses as one range (a widen decision)";
    DynamicPorts "dynamic-ports" Serious
        "A workload was called on several high ports, each used once or twice, as if picked at run time."
        "The next run picks other ports, so rules for these would not help. None was written."
        "set fixed ports in the application, declare them as containerPort, or allow a range with --port-ranges";
    PortOfOnePod "port-of-one-pod" Serious
        "Each pod of a workload listens on a port of its own."
        "Rules were written for these ports, but the next pod will listen on another one."
        "set a fixed port in the application, or declare the ports as containerPort";
    DirectionContradicted "direction-contradicted" Serious
        "It is a guess which side opened this connection, and other connections on the same ports show the opposite."
        "The rule may be the wrong way round. It then allows what nobody needs."
        "delete the rule if the other direction is right, or learn from a capture that has the start of the connection";
    NotExpressible "not-expressible" Serious
        "No NetworkPolicy can express this observed connection."
        "The policies will deny it as soon as the default deny is applied."
        "do not apply the default deny of this namespace while the connection is needed";
    PolicyWithheld "policy-withheld" Serious
        "A policy was generated and failed the proof, so it was not written."
        "The default deny stops the connections that it should have allowed."
        "do not apply the default deny of this namespace, or write the rule by hand; this is a defect of netpol-gen, please report it";
    NamespaceWithoutTraffic "namespace-without-traffic" Serious
        "Not one connection was seen in this namespace."
        "Its default deny would stop everything there."
        "do not apply its default deny until its traffic has been captured";
    WorkloadWithoutTraffic "workload-without-traffic" Warning
        "A workload took part in no connection."
        "The default deny will stop everything that it does."
        "capture longer, or on the nodes that it runs on";
    CronJobNotDue "cron-job-not-due" Warning
        "A CronJob did not run during the capture."
        "Its connections are in no policy, and the default deny will stop them."
        "capture while it runs, or start it during a capture: kubectl create job --from=cronjob/NAME";
    ApiServerCallNotSeen "api-server-call-not-seen" Warning
        "The API server was not seen to call this webhook or aggregated API."
        "The default deny will stop that call. Requests that depend on it may then fail in the whole cluster."
        "trigger the call during a capture, or write the rule by hand";
    NodeNotSeen "node-not-seen" Warning
        "No traffic of any pod on this node was seen."
        "Connections of these pods are in no policy, neither with each other nor with the outside."
        "capture on this node too";
    InternetExposure "internet-exposure" Warning
        "A workload is exposed on purpose, and enough addresses on the internet called it."
        "Its policy allows every address on the internet. This is broader than what was observed."
        "if only the addresses seen should be allowed, learn again with --public exact";
    ExposedNotOpened "exposed-not-opened" Warning
        "A workload is exposed on purpose, but only few outside addresses called it."
        "Only those are allowed. By default it takes three internet addresses in two networks (IPv4 /16, IPv6 /32) to open it."
        "all other clients will be denied: if the workload is public, open it with --public any, or to a range by a widen decision";
    SnatHidesOriginator "snat-hides-originator" Warning
        "Clients reached the workload through a node, which replaced their addresses with its own."
        "The real clients are unknown. Those that come through other nodes will be denied, even if a policy allows the internet."
        "capture at the node's uplink too, or set externalTrafficPolicy: Local on the Service";
    ServiceBackendNotSeen "service-backend-not-seen" Warning
        "A Service was called, and the pod that answered was not captured."
        "All workloads behind the Service were allowed, although perhaps only one was used."
        "capture on the nodes of its pods to make this narrower";
    ManyAddresses "many-addresses" Warning
        "One outside name led to many addresses."
        "A list of addresses will soon be out of date, and new addresses will be denied."
        "use a policy by DNS name (FQDN) of your network plug-in, or an egress gateway";
    WeakDirection "weak-direction" Warning
        "The start of the connection is missing, so it is a guess which side is the client."
        "If the guess is wrong, the rule is the wrong way round."
        "check which side is the client; a capture that has the start of the connection makes it certain";
    OneWayUdp "one-way-udp" Warning
        "UDP packets were sent again and again, and nobody answered."
        "A rule was written, because syslog and statsd look like this. The receiver may also be gone."
        "check that the receiver exists and that the traffic is wanted";
    UnrepeatedUdp "unrepeated-udp" Warning
        "A few UDP packets were sent, and nobody answered."
        "This is too little to tell a real protocol from a failed attempt. No rule was written."
        "if it is wanted (syslog, statsd), capture longer";
    ProxyPeer "proxy-peer" Warning
        "One side of the connection is a proxy or gateway that acts for others."
        "The rule allows the proxy. It does not limit who is behind it."
        "combine the policies with the authorization of the service mesh or the proxy";
    RefusedConnection "refused-connection" Warning
        "A connection was refused."
        "It failed during the capture, so nothing depends on it. No rule was written."
        "no rule was written; if the call is wanted, make it work, capture again and learn again";
    UnansweredConnection "unanswered-connection" Warning
        "A connection was never answered."
        "It failed during the capture, or its answer took a path that was not captured. No rule was written."
        "no rule was written; if the call works in reality, capture where its answers pass too";
    DeniedByPolicy "denied-by-policy" Warning
        "A connection failed, and the policies already in the cluster do not allow it."
        "It was probably denied by those policies. No rule was written."
        "no rule was written; if the call is wanted, change the named policies, capture again and learn again";
    OneSidedConnection "one-sided-connection" Warning
        "Only one side's packets of this connection were captured."
        "Anyone can send such packets with a forged address. No rule was written."
        "no rule was written: capture where both directions pass, or see --one-way";
    HalfOpenConnection "half-open-connection" Warning
        "The server accepted the connection, and the client never completed the handshake."
        "A forged source address produces the same packets. No rule was written."
        "no rule was written: capture longer, without a filter that removes acknowledgments; for a load balancer's probe that resets at once, write a policy by hand";
    OneWayCapture "one-way-capture" Serious
        "For most connections only one direction was captured."
        "No rule was written for them, so the policies are probably far from complete."
        "capture at the pods' own interfaces or where both directions pass; if no stranger can send packets there, learn with --one-way accept";
    OneSidedRule "one-sided-rule" Warning
        "A rule rests on the packets of one side only, because of --one-way accept."
        "Anyone who can send packets with a forged address can cause such a rule."
        "make sure that the connection is real before you apply the rule";
    SecondaryInterface "secondary-interface" Warning
        "Traffic used a secondary interface of a pod (Multus)."
        "NetworkPolicy does not apply to secondary interfaces. No rule was written."
        "restrict them with MultiNetworkPolicy, or in the network itself";
    RemoteNodeTraffic "remote-node-traffic" Warning
        "A pod exchanged traffic with a node other than its own."
        "A rule with the node's address was written. Node addresses change when nodes are replaced."
        "learn again when nodes are replaced, or allow the range of your nodes by a widen decision";
    OwnNodeCalled "own-node-called" Warning
        "A pod called the node that it runs on."
        "Most network plug-ins filter this traffic, so a rule with the addresses seen was written. On other nodes the pods need other addresses."
        "if the workload can run on other nodes, allow the range of your nodes by a widen decision";
    NodeRuleIgnored "node-rule-ignored" Serious
        "A rule names a node's address, and the cluster uses Cilium."
        "Cilium ignores ipBlock rules for nodes by default, so the connection will be denied."
        "add a CiliumNetworkPolicy with the entity host, remote-node or kube-apiserver, or set policy-cidr-match-mode: nodes in cilium-config";
    PolicyGroupLabel "policy-group-label" Warning
        "A rule names a node's address, and OpenShift has a namespace label for what runs there."
        "The address changes when the node is replaced. The label does not."
        "add a rule that selects namespaces labelled policy-group.network.openshift.io/ingress: \"\" (routers) or policy-group.network.openshift.io/host-network: \"\"";
    OneOffConnection "one-off-connection" Warning
        "A client made this connection once, and otherwise does other things."
        "A debugging session or an intruder looks like this. So does a rare job that is needed."
        "find out whether it is wanted; --quarantine keeps the rule out of the policies";
    NeverAskedByName "never-asked-by-name" Warning
        "A pod called an outside address without a DNS lookup before."
        "The address is hard-coded, or the lookup happened before the capture began. Malware often does this."
        "find out whose address it is; --quarantine keeps the rule out of the policies";
    ForeignResolver "foreign-resolver" Warning
        "A pod sent DNS queries to a resolver other than the cluster's."
        "DNS to any server can carry data out of the cluster, whatever the other rules say."
        "configure the pod to use the cluster's resolver; --quarantine keeps the rule out of the policies";
    FirstAcrossNamespaces "first-across-namespaces" Warning
        "This is the only connection between two namespaces, and it came late and rarely."
        "Namespaces often separate teams. A single connection across may be a mistake or an attack."
        "ask both teams whether it is meant; --quarantine keeps the rule out of the policies";
    ExistingPolicy "existing-policy" Warning
        "The cluster already has a policy that netpol-gen did not write."
        "Policies add up. Whatever this policy allows stays allowed."
        "check whether it is still needed, and remove it if not";
    Icmp "icmp" Warning
        "Pods exchanged ICMP, such as ping."
        "NetworkPolicy cannot allow ICMP. Each network plug-in decides by itself whether it passes."
        "if pods need it, look up how your network plug-in treats ICMP under a policy: NetworkPolicy cannot allow it";
    OpaqueTunnel "opaque-tunnel" Warning
        "Encrypted or unknown tunnel traffic passed between nodes."
        "The pod traffic inside was not seen. Its connections are in no policy."
        "capture at the pods' interfaces, or on the node's `any` interface";
    TruncatedFile "truncated-file" Warning
        "A file ends in the middle."
        "Everything before the cut was used. Later traffic is in no policy."
        "copy the file again if the original is longer, or capture again";
    FilePassedOver "file-passed-over" Note
        "A file in a directory of captures is not a capture, going by its content or name."
        "It was not read."
        "if it is a capture, name the file itself with --read";
    InventoryGap "inventory-gap" Warning
        "The cluster was not watched for some time."
        "Pods that came and went in that time are unknown. A reused address may be attributed to its later owner."
        "capture and watch the cluster at another time too, and learn from both";
    KindLeftOut "kind-left-out" Warning
        "The cluster did not return the objects of one kind."
        "What they would have said about addresses and owners is missing."
        "allow list and watch of it: `netpol-gen inventory --print-role` prints the ClusterRole that is needed";
    CutFrames "cut-frames" Warning
        "Frames were captured only in part, and the part ends within their headers."
        "Their connections may be missing from the policies."
        "capture with a larger snapshot length (tcpdump -s 0)";
    MalformedFrame "malformed-frame" Note
        "Frames contradict themselves, for example in their lengths."
        "They were left out. They would not have reached an application either."
        "nothing to do for a few: they were left out; if there are many, check the network card and the capture";
    UnsupportedFrame "unsupported-frame" Note
        "Frames have a link type, packet type or nesting that netpol-gen does not decode."
        "They were left out. If pods use this protocol, their connections are missing."
        "they were left out; if connections of pods are inside, capture at the pods' own interfaces";
    Fragment "fragment" Note
        "Datagrams arrived in fragments."
        "Only the first fragment has the ports. That one was used, and the others add nothing."
        "nothing to do: the first fragment of each datagram has the ports, and was used";
    OutOfOrderTime "out-of-order-time" Note
        "Frames in a capture are older than the frame before them."
        "They were sorted where they were less than two minutes apart. Beyond that, addresses may be attributed at the wrong time."
        "nothing to do for steps of less than two minutes; otherwise sort the file (reordercap)";
    ClockJump "clock-jump" Warning
        "Times in a capture are years away from those around them."
        "Addresses are attributed by the time of their packets. A wrong clock finds the wrong pod."
        "compare the clock of the capturing machine with the cluster's, and capture again";
    FlowTableFull "flow-table-full" Serious
        "There were more concurrent connections than netpol-gen tracks."
        "Some were closed early, so evidence about them may be missing or wrong."
        "raise --flows, or learn from parts of the capture";
    DroppedFrames "dropped-frames" Serious
        "Frames arrived faster than they could be read, and the kernel or the interface dropped some."
        "Connections may be missing from the policies."
        "capture on fewer interfaces, narrow it with --filter, or capture longer";
    InterfaceGap "interface-gap" Warning
        "An interface was not captured for some time."
        "What passed there in that time was not seen."
        "capture on `any`, which includes interfaces that come and go";
    RecordingIncomplete "recording-incomplete" Serious
        "A part of what was captured could not be written to disk, or could not be read back."
        "Some observed connections are not in the policies."
        "capture again, with enough free space on a disk without errors";
    Flood "flood" Warning
        "There were very many attempts that nobody answered: a scan, an attack or a broken program."
        "No rule was written for them."
        "no rule was written: find out who does this";
    DecisionUnmatched "decision-unmatched" Warning
        "A decision in the decisions file matches nothing that was seen."
        "It may be misspelled. An old one would apply again, unnoticed, if the same connection came back."
        "if it is new, check its spelling; if it is old, remove it from the file";
    DecisionExpired "decision-expired" Warning
        "The last day of a decision has passed."
        "The decision was not applied."
        "decide again with a later date or without one, or remove it from the file";
    Multicast "multicast" Note
        "Pods sent multicast or broadcast."
        "NetworkPolicy does not cover it, and most network plug-ins do not forward it."
        "nothing to do for mDNS; if pods need multicast, look up whether your network plug-in forwards it";
    DnsAnswerNotUsed "dns-answer-not-used" Note
        "DNS answers were seen that name no address for this pod."
        "An answer counts only if the pod's question was seen, and the server is a resolver of the cluster or of its dnsConfig. Anyone can send others."
        "if this server is a resolver of the pod, take the inventory again; otherwise there is nothing to do";
    OwnNodeTraffic "own-node-traffic" Note
        "A node exchanged traffic with pods that run on it."
        "Nodes can always reach their own pods (kubelet probes, host network). No rule is needed."
        "nothing to do: nodes can always reach their own pods (kubelet probes, host network)";
    AmbientProbe "ambient-probe" Note
        "The kubelet's probe arrived through Istio's ambient mesh, from the address 169.254.7.127."
        "Without its rule probes fail in ambient mode. The rule opens the port to nobody else."
        "keep the rule while the mesh is in ambient mode";
    PlatformCaller "platform-caller" Note
        "A client has an address of the node or of the platform below it."
        "It is a load balancer's probe, or traffic whose source the node replaced. The rule allows this address, and whoever is behind it."
        "check that everyone behind this address may call the workload";
    Hairpin "hairpin" Note
        "A pod reached itself through its own Service."
        "A pod's traffic to itself is not filtered. With several replicas the same call may reach another pod, which is filtered."
        "with more than one replica, capture longer";
    PortNotCalled "port-not-called" Note
        "A port is declared, and nobody called it during the capture."
        "No rule allows calls to it, so the default deny will stop them."
        "no rule allows calls to it: if it is used at times, capture until it is called, or see --candidates";
    ScrapeNotSeen "scrape-not-seen" Note
        "Prometheus is configured to scrape this port, and did not during the capture."
        "No rule allows the scrape, so metrics may be missing under the default deny."
        "no rule allows it: check that the annotation or monitor is still in use, and that Prometheus was captured; or see --candidates";
    StartNotSeen "start-not-seen" Note
        "No pod of these workloads started during the capture."
        "What pods do only at start was not seen: migrations, fetching configuration, registering."
        "restart them during a capture (kubectl rollout restart): what they do only at start was not seen";
    ScalingNotSeen "scaling-not-seen" Note
        "An autoscaler can scale this workload, and did not during the capture."
        "What its pods do when they are added or removed was not seen."
        "scale it during a capture";
    UnknownKind "unknown-kind" Note
        "The inventory has objects of kinds that say nothing about addresses or owners."
        "They were left out, without an effect on the policies."
        "nothing to do: these kinds say nothing about addresses or owners, and were left out";
    UnreadableObject "unreadable-object" Warning
        "Objects of the inventory cannot be read as their kind, in whole or in part."
        "What cannot be read was left out, so addresses or owners may be missing."
        "check the inventory file, or take it again";
    InventoryFilePassedOver "inventory-file-passed-over" Note
        "A file in a directory of inventories has no Kubernetes objects."
        "It was not used."
        "if it should have objects of the cluster, write it again with `kubectl get … -A -o yaml` (or json)";
    InventoryFileIncomplete "inventory-file-incomplete" Warning
        "A file in a directory of inventories could not be read to its end."
        "The objects after that point are missing."
        "write the file again, or remove it from the directory";
    LogSectionRepeated "log-section-repeated" Serious
        "A cluster dump has the log of one container twice."
        "Whoever wrote the log may have added false objects to the dump. The inventory cannot be trusted."
        "take the inventory again with `kubectl get … -A -o yaml`";
    OwnerMissing "owner-missing" Note
        "A pod has an owner that is not in the inventory."
        "The workload is named after the last owner known, so the policy may get another name."
        "add the owner's kind to the inventory";
    NamespaceLabelMissing "namespace-label-missing" Serious
        "A namespace lacks the label kubernetes.io/metadata.name."
        "Rules select namespaces by this label. Rules for this namespace match nothing without it."
        "label the namespace kubernetes.io/metadata.name=NAME; API servers do so since Kubernetes 1.21";
    GuessedRanges "guessed-ranges" Note
        "The inventory does not say which ranges pods or Services use, so they were guessed."
        "An address outside the guess counts as outside the cluster."
        "give the ranges with --pod-cidr and --service-cidr";
}

impl fmt::Display for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The most words that a sentence may have.
    const WORDS: usize = 24;

    #[test]
    fn codes_are_unique_and_kebab_case() {
        let names: std::collections::BTreeSet<&str> = Code::ALL.iter().map(|code| code.name()).collect();
        assert_eq!(names.len(), Code::ALL.len());
        assert!(names.iter().all(|name| name.chars().all(|letter| letter.is_ascii_lowercase() || letter == '-')));
    }

    /// The sentences of a text; a semicolon or colon ends one, too.
    fn sentences(text: &str) -> impl Iterator<Item = &str> {
        text.trim_end_matches('.').split(". ").flat_map(|sentence| sentence.split("; ")).flat_map(|sentence| sentence.split(": "))
    }

    #[test]
    fn every_code_says_what_was_seen_why_it_matters_and_what_to_do() {
        for code in Code::ALL {
            for (part, text) in [("seen", code.seen()), ("why", code.why())] {
                let is_sentence = text.ends_with('.') && text.starts_with(|letter: char| letter.is_ascii_uppercase());
                assert!(is_sentence, "{code}, {part}: no sentence: {text}");
            }
            let hint = code.hint();
            assert!(!hint.is_empty() && !hint.ends_with('.'), "{code}, hint: ends like a sentence: {hint}");
            assert!(hint.starts_with(|letter: char| letter.is_ascii_lowercase()), "{code}, hint: begins like a sentence: {hint}");
            for text in [code.seen(), code.why(), hint] {
                for sentence in sentences(text) {
                    assert!(sentence.split_whitespace().count() <= WORDS, "{code}: too long: {sentence}");
                }
            }
            assert!(code.seen() != code.why() && code.why() != code.hint(), "{code}: says one thing twice");
        }
    }
}
