//! What the tool saw and did not turn into a rule, and what it could not see.

use std::collections::BTreeMap;
use std::fmt;

/// How much a finding asks of the reviewer; worst last.
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
    /// As the command line and the review spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Serious => "serious",
        }
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident $code:literal $severity:ident $hint:literal;)*) => {
        /// What kind of finding; the code is stable.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $($(#[$doc])* $variant,)* }

        impl Code {
            /// All codes, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The stable kebab-case code.
            pub const fn name(self) -> &'static str { match self { $(Self::$variant => $code,)* } }

            /// How bad it is.
            pub const fn severity(self) -> Severity { match self { $(Self::$variant => Severity::$severity,)* } }

            /// What to do about it.
            pub const fn hint(self) -> &'static str { match self { $(Self::$variant => $hint,)* } }
        }
    };
}

codes! {
    /// An address inside the pod or Service ranges that nobody owned at that time.
    UnattributedAddress "unattributed-address" Serious
        "no rule was written: add an inventory taken while this address was in use (--inventory is repeatable)";
    /// Two pods of different workloads have one address at the same time.
    AddressClaimedTwice "address-claimed-twice" Serious
        "no rule was written for its traffic in that time: take the inventory anew, or remove the pod that has gone from it";
    /// What looks like an overlay, and is not between nodes.
    TunnelNotBetweenNodes "tunnel-not-between-nodes" Serious
        "somebody sends what looks like the cluster's overlay: find out who, and why; if its ends are yours, name them with --tunnel-endpoint CIDR and learn again";
    /// A pod put another's address on what it sent.
    SpoofedSource "spoofed-source" Serious
        "find out what runs in this pod: only a program that forges packets does that; take NET_RAW from it (securityContext.capabilities.drop)";
    /// A pod at whose interface others get their answers.
    ForwardingPod "forwarding-pod" Warning
        "if it is meant to forward, review the edges of those behind it; if not, find out what runs in it";
    /// Ends of tunnels that may be nodes which have gone, or the collector of a mirror.
    UnknownTunnelEnd "unknown-tunnel-end" Serious
        "if these were nodes or get mirrored traffic, learn again with --tunnel-endpoint CIDR for each, or with an inventory of that time";
    /// Tunnels were opened although nothing tells whose they are.
    UncheckedTunnels "unchecked-tunnels" Serious
        "any pod could have sent this: add the nodes to the inventory (kubectl get nodes -o yaml), or name the ends with --tunnel-endpoint CIDR, and learn again";
    /// An overlay that was recognised by its form and not opened.
    OverlayNotOpened "overlay-not-opened" Warning
        "what is inside was not seen: name a VXLAN port with --vxlan-port, or capture at the pods' own interfaces";
    /// An address went from one workload to another, and it cannot be told whose the traffic was.
    AddressPassedOn "address-passed-on" Serious
        "no rule rests on it, and one may be missing: capture longer, and watch the cluster during the capture (netpol-gen inventory --watch)";
    /// The cloud's metadata service answered a pod.
    MetadataAddress "metadata-address" Serious
        "it hands out the cloud's credentials: its policy is withheld in NAMESPACE/_quarantine/ until a decision accepts the edge, or drops it by reject; put the entry under one of both in netpol-gen.yaml and learn again";
    /// What a scan found open.
    FoundByScan "found-by-scan" Serious
        "find out who scanned, and from where, before you allow what was found; --quarantine keeps the rules apart";
    /// A workload cannot be told apart from others by any selector.
    BroadSelector "broad-selector" Serious
        "give the workload a label of its own, then learn again";
    /// A selector rests on a label that the next event changes.
    SelectorMayNotLast "selector-may-not-last" Serious
        "the default deny will stop the pods that no policy selects then: give the pods a label that stays (in the template or the custom resource), then learn again; or learn again after each such event";
    /// A policy's selector matches no pod any more, and the pods that need the policy are there.
    SelectorMatchesNothing "selector-matches-nothing" Serious
        "the policy was made for pods with other labels: learn again, and give the pods a label that stays";
    /// A selector asks for a label that the network plug-in does not look at.
    LabelIgnoredByPlugin "label-ignored-by-plugin" Serious
        "give the pods a label of their own and learn again, or have Cilium look at this one: `labels` in the ConfigMap cilium-config";
    /// Nothing can select this workload.
    WorkloadNotSelectable "workload-not-selectable" Serious
        "its traffic will be denied by the default deny: give its pods a label of their own, then learn again";
    /// A Service was called, but no pod stood behind it.
    ServiceWithoutBackends "service-without-backends" Serious
        "add an inventory that has the Service's pods or EndpointSlices at that time";
    /// The inventory knows no Service.
    ServicesMissing "services-missing" Serious
        "Service addresses look like outside addresses: add services and endpointslices to the inventory, or --service-cidr";
    /// More edges than are kept.
    TooManyEdges "too-many-edges" Serious
        "the policies will deny these connections: raise --edges, learn from parts of the capture, or allow the outside addresses as one range";
    /// Several one-off high ports of one workload.
    DynamicPorts "dynamic-ports" Serious
        "no rule was written for these ports: pin them in the application, declare them as containerPort, or allow a range with --port-ranges";
    /// Ports of a workload's pods of which each pod has its own.
    PortOfOnePod "port-of-one-pod" Serious
        "rules were written for these ports, and the next pod will listen on others: pin them in the application, or declare them as containerPort";
    /// The direction of a connection is a guess, and other connections prove the opposite.
    DirectionContradicted "direction-contradicted" Serious
        "the rule may be the wrong way round: delete it if the proven direction is right, or learn from a capture that has the beginning of the connection";
    /// An observed connection that no rule can express.
    NotExpressible "not-expressible" Serious
        "the policies will deny this connection; hold back the default deny of this namespace until it is gone";
    /// Rules that could not be proved, and edges that are denied for that.
    PolicyWithheld "policy-withheld" Serious
        "the default deny stops this connection: hold it back for this namespace, or write the rule by hand; this is a defect of netpol-gen, please report it";
    /// A namespace in which no connection was seen.
    NamespaceWithoutTraffic "namespace-without-traffic" Serious
        "its default deny stops everything there: hold it back until its traffic has been captured";
    /// A workload that took part in no connection.
    WorkloadWithoutTraffic "workload-without-traffic" Warning
        "watch longer, or at the nodes it runs on; the default deny stops everything it does";
    /// A `CronJob` that was not due while the capture ran.
    CronJobNotDue "cron-job-not-due" Warning
        "its policies deny everything it does: watch when it is due, or run it while watching: kubectl create job --from=cronjob/NAME";
    /// A webhook or an aggregated API that the API server was not seen to call.
    ApiServerCallNotSeen "api-server-call-not-seen" Warning
        "the default deny will stop the API server's calls, and with them what it asks about: have it call while watching, or write the rule by hand";
    /// A node none of whose pods was seen.
    NodeNotSeen "node-not-seen" Warning
        "capture there too: what its pods do among themselves, and with outside, is in no policy";
    /// A workload exposed on purpose is opened to all outside addresses.
    InternetExposure "internet-exposure" Warning
        "this is wider than what was seen; --public exact allows the addresses seen and no others";
    /// A workload exposed on purpose was called by too few to be taken for public.
    ExposedNotOpened "exposed-not-opened" Warning
        "all other clients will be denied; by default three addresses on the internet, in two networks (IPv4: /16, IPv6: /32), open it: if it is public, open it with --public any (one is enough), or to a range by a widen decision";
    /// The true caller is hidden behind a node's address.
    SnatHidesOriginator "snat-hides-originator" Warning
        "callers that come through other nodes will be denied, also where a policy opens the workload to the internet: capture at the node's uplink too, or set externalTrafficPolicy: Local";
    /// A Service was called and the chosen backend was not captured.
    ServiceBackendNotSeen "service-backend-not-seen" Warning
        "all workloads behind the Service were allowed; capture at the nodes of its pods to narrow this";
    /// An outside name that led to many addresses.
    ManyAddresses "many-addresses" Warning
        "an address list will not hold: use a policy by name (FQDN) of your network plug-in, or an egress gateway";
    /// The direction of a connection rests on weak evidence.
    WeakDirection "weak-direction" Warning
        "check who calls whom; a capture that has the beginning of the connection settles it";
    /// UDP that nobody answered, repeated enough to be meant.
    OneWayUdp "one-way-udp" Warning
        "a rule was written: check that the receiver exists and the traffic is wanted";
    /// UDP that nobody answered and that was not repeated.
    UnrepeatedUdp "unrepeated-udp" Warning
        "no rule was written; if it is wanted (syslog, statsd), capture longer";
    /// The peer is a proxy that speaks for others.
    ProxyPeer "proxy-peer" Warning
        "the rules name the proxy, not who is behind it: combine them with the mesh's own authorization";
    /// Connections that were refused.
    RefusedConnection "refused-connection" Warning
        "no rule was written; the attempt was refused during the capture as well";
    /// Connections that were never answered.
    UnansweredConnection "unanswered-connection" Warning
        "no rule was written; the attempt failed during the capture as well, or its answer took a way that was not captured";
    /// Attempts that policies already in the cluster deny.
    DeniedByPolicy "denied-by-policy" Warning
        "no rule was written: if the call is wanted, change the policies that are named, capture again, and learn then";
    /// What belongs to a connection was sent by one side, and the other side was not heard.
    OneSidedConnection "one-sided-connection" Warning
        "no rule was written, for anyone can send such packets: capture where both directions pass, or see --one-way";
    /// A connection that the responder accepted and its originator never acknowledged.
    HalfOpenConnection "half-open-connection" Warning
        "no rule was written, for a forged address is answered too: capture longer, and with no filter that keeps acknowledgments away; a load balancer whose probe resets at once needs a policy of your own";
    /// So many connections were seen from one side only that the capture seems to have one direction.
    OneWayCapture "one-way-capture" Serious
        "no rule was written for them: capture at the pods' own interfaces or where both directions pass; or, if no stranger can send packets there, learn with --one-way accept";
    /// A rule that rests on the packets of one side, as was asked for.
    OneSidedRule "one-sided-rule" Warning
        "the rule was written because of --one-way accept: anyone who can send packets with a forged address can make one, so make sure that the call is real";
    /// Traffic over another interface of a pod than the one that NetworkPolicy is about.
    SecondaryInterface "secondary-interface" Warning
        "NetworkPolicy does not govern secondary interfaces, so no rule was written: restrict them with MultiNetworkPolicy, or at the network";
    /// Traffic of a node other than the pod's own.
    RemoteNodeTraffic "remote-node-traffic" Warning
        "a rule with the node's address was written; node addresses change when nodes are replaced";
    /// A pod called the node that it runs on.
    OwnNodeCalled "own-node-called" Warning
        "a rule with the addresses seen was written, because most network plug-ins filter this traffic: on other nodes the pods need the addresses of those";
    /// A rule with a node's address, which Cilium ignores.
    NodeRuleIgnored "node-rule-ignored" Serious
        "add a CiliumNetworkPolicy with the entity host, remote-node or kube-apiserver, or set policy-cidr-match-mode: nodes in cilium-config";
    /// A rule with a node's address where OpenShift has a label for what is behind it.
    PolicyGroupLabel "policy-group-label" Warning
        "add a rule that selects namespaces labelled policy-group.network.openshift.io/ingress: \"\" (routers) or policy-group.network.openshift.io/host-network: \"\": it holds when nodes are replaced";
    /// An edge that was used once by who otherwise does other things.
    OneOffConnection "one-off-connection" Warning
        "a debugging session or an intruder looks like this, and so does what is rare and meant; --quarantine keeps the rule apart";
    /// An outside address that was called and never asked for by name.
    NeverAskedByName "never-asked-by-name" Warning
        "an address that is fixed in a program, or asked for before the capture began: find out whose it is; --quarantine keeps the rule apart";
    /// Name resolution elsewhere than at the cluster's resolver.
    ForeignResolver "foreign-resolver" Warning
        "DNS to strangers carries data out past every other rule: have the pod ask the cluster's resolver; --quarantine keeps the rule apart";
    /// The only edge between two namespaces, late and rarely used.
    FirstAcrossNamespaces "first-across-namespaces" Warning
        "ask both teams whether it is meant; --quarantine keeps the rule apart";
    /// Policies in the cluster that this tool did not write.
    ExistingPolicy "existing-policy" Warning
        "policies add up: what this one allows stays allowed";
    /// A kind of traffic that NetworkPolicy cannot express.
    Icmp "icmp" Warning
        "NetworkPolicy cannot allow ICMP by itself; whether it passes under a policy is up to the network plug-in";
    /// Encrypted or unknown tunnels between nodes.
    OpaqueTunnel "opaque-tunnel" Warning
        "what is inside was not seen: capture at the pods or on the node's `any` instead";
    /// A capture file ends in the middle.
    TruncatedFile "truncated-file" Warning
        "everything before the cut was used; traffic after it is not in the policies";
    /// A file in a directory of captures that is none.
    FilePassedOver "file-passed-over" Note
        "if it is a capture, name it with --read: then it is read whatever it is called";
    /// The cluster was not watched for a time.
    InventoryGap "inventory-gap" Warning
        "pods that came and went in this time are unknown; an address that changed hands may be taken for its later owner's: learn from another time too";
    /// A kind of object that the cluster did not give.
    KindLeftOut "kind-left-out" Warning
        "allow list and watch of it: `netpol-gen inventory --print-role` prints the ClusterRole that is needed";
    /// Frames longer than what was captured of them, cut before their headers ended.
    CutFrames "cut-frames" Warning
        "capture with a larger snaplen (tcpdump -s 0)";
    /// Frames that contradict themselves.
    MalformedFrame "malformed-frame" Note
        "they were left out";
    /// A link type or packet type that is not decoded.
    UnsupportedFrame "unsupported-frame" Note
        "they were left out";
    /// Fragments without ports.
    Fragment "fragment" Note
        "only the first fragment of a datagram tells its ports; that one was used";
    /// Time stamps that run backwards.
    OutOfOrderTime "out-of-order-time" Note
        "frames were put in order where they were less than two minutes apart";
    /// Times that are years away from those around them.
    ClockJump "clock-jump" Warning
        "who an address was is asked of the time of its packets: compare the clock of the capture with the cluster's";
    /// The flow table was full.
    FlowTableFull "flow-table-full" Serious
        "conversations were closed early: raise --flows, or learn from parts of the capture";
    /// Frames that came while nobody was quick enough to read them.
    DroppedFrames "dropped-frames" Serious
        "connections may be missing from the policies: capture fewer interfaces, narrow it with --filter, or watch longer";
    /// An interface that was not captured all the time.
    InterfaceGap "interface-gap" Warning
        "what passed there in the meantime was not seen; `any` sees interfaces that come and go";
    /// A disk that did not take what was seen, or did not give it back as it was.
    RecordLost "record-lost" Serious
        "some of what was seen is not in the policies: watch again, with room on a disk that is in order";
    /// A scan, a flood, or a program that tries without end.
    Flood "flood" Warning
        "no rule was written; find out who does this: it is a scan, an attack or a broken program";
    /// A reviewer's decision that means nothing that was seen.
    DecisionUnmatched "decision-unmatched" Warning
        "if it is new, check how it is written; if it is old, take it out of the file: it would count again, unasked, if such a thing came back";
    /// A reviewer's decision whose last day is over.
    DecisionExpired "decision-expired" Warning
        "it was not obeyed: decide again, with a later date or without, or take it out of the file";
    /// Multicast and broadcast.
    Multicast "multicast" Note
        "NetworkPolicy does not speak of multicast; most network plug-ins do not forward it";
    /// DNS answers after which nothing is named.
    DnsAnswerNotUsed "dns-answer-not-used" Note
        "an answer names an address where the pod's question was seen, and whom it asked is a resolver of the cluster or in the pod's dnsConfig: if this one is, take the inventory anew; anyone can send the others";
    /// Traffic of a node with the pods that run on it.
    OwnNodeTraffic "own-node-traffic" Note
        "nodes may always call their own pods (kubelet probes, host network): no rule is needed";
    /// A probe of the kubelet that came through Istio's ambient mesh.
    AmbientProbe "ambient-probe" Note
        "keep its rule while the mesh is in ambient mode: without it probes fail; it opens the port to nobody else";
    /// A caller with an address of the node or of the platform beneath it.
    PlatformCaller "platform-caller" Note
        "a load balancer's probe, or traffic whose source the node translated: its rule allows this one address, and whoever is behind it";
    /// A pod that reaches itself through its Service.
    Hairpin "hairpin" Note
        "a pod's traffic to itself is not filtered; with more than one replica capture longer";
    /// Ports that are declared and that nobody called.
    PortNotCalled "port-not-called" Note
        "no rule allows calls there; if some are to come, watch until they have, or see --candidates";
    /// Ports that Prometheus is asked to scrape and did not.
    ScrapeNotSeen "scrape-not-seen" Note
        "no rule allows it: is the annotation or monitor still in use, and was Prometheus captured? See --candidates";
    /// Workloads of which no pod started.
    StartNotSeen "start-not-seen" Note
        "what pods do only when they start (migrations, fetching configuration, registering) was not seen: restart them while watching";
    /// A workload that is scaled and was not.
    ScalingNotSeen "scaling-not-seen" Note
        "what its pods do when they come and go was not seen: scale it while watching";
    /// Objects that say nothing about addresses or owners.
    UnknownKind "unknown-kind" Note
        "they were left out";
    /// Objects that cannot be read as their kind, in whole or in part.
    UnreadableObject "unreadable-object" Warning
        "what cannot be read was left out: check the inventory file";
    /// A file in a directory of inventories that holds no Kubernetes objects.
    InventoryFilePassedOver "inventory-file-passed-over" Note
        "if it holds objects of the cluster, write them anew with `kubectl get … -A -o yaml` (or json)";
    /// A file in a directory of inventories that could not be read to its end.
    InventoryFileIncomplete "inventory-file-incomplete" Warning
        "what is missing is not in the inventory: write the file anew, or take it out of the directory";
    /// A dump that has the log of one container twice.
    LogSectionRepeated "log-section-repeated" Serious
        "whoever wrote that log may have added objects to the inventory: take it anew with `kubectl get … -A -o yaml`";
    /// An owner that the inventory does not hold.
    OwnerMissing "owner-missing" Note
        "the workload is named after the last owner known; add its kind to the inventory";
    /// A namespace that cannot be selected by name.
    NamespaceLabelMissing "namespace-label-missing" Serious
        "label the namespace kubernetes.io/metadata.name=<its name>, which the API server does since 1.21";
    /// Pod or Service ranges that had to be guessed.
    GuessedRanges "guessed-ranges" Note
        "give them with --pod-cidr and --service-cidr";
}

impl fmt::Display for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// One line of the review.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// What kind.
    pub code: Code,
    /// What it is about: a workload, an address, a file.
    pub subject: String,
    /// What was seen, as the rest of a sentence that begins with the subject.
    pub message: String,
    /// How often.
    pub count: u64,
    /// Whether it stands for all further subjects of the code, which were counted and not kept.
    pub is_rest: bool,
}

/// How many bytes of a subject, and of a message, are kept: names in them are whatever someone wrote.
const SUBJECT: usize = 1 << 10;
const MESSAGE: usize = 4 << 10;

/// The beginning of a text that is too long.
fn cut(mut text: String, most: usize) -> String {
    if text.len() > most {
        text.truncate(text.floor_char_boundary(most));
        text.push('\u{2026}');
    }
    text
}

/// Findings, counted and in order. Bounded: of one code only the first [`Findings::SUBJECTS`] different ones are kept, the rest
/// is counted together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    counts: BTreeMap<Code, BTreeMap<(String, String), u64>>,
    overflow: BTreeMap<Code, u64>,
}

impl Findings {
    /// How many different findings of one code are kept.
    pub const SUBJECTS: usize = 1000;

    /// Counts one occurrence.
    pub fn add(&mut self, code: Code, subject: impl Into<String>, message: impl Into<String>) {
        self.add_many(code, subject, message, 1);
    }

    /// Notes what is so, however often it is come upon.
    pub fn add_once(&mut self, code: Code, subject: impl Into<String>, message: impl Into<String>) {
        let (subject, message) = (subject.into(), message.into());
        let finding = (cut(subject.clone(), SUBJECT), cut(message.clone(), MESSAGE));
        let known = self.counts.get(&code).is_some_and(|kept| kept.contains_key(&finding));
        if !known {
            self.add(code, subject, message);
        }
    }

    /// Counts `count` occurrences; none for 0.
    pub fn add_many(&mut self, code: Code, subject: impl Into<String>, message: impl Into<String>, count: u64) {
        if count == 0 {
            return;
        }
        let kept = self.counts.entry(code).or_default();
        let known = kept.entry((cut(subject.into(), SUBJECT), cut(message.into(), MESSAGE))).or_default();
        *known = known.saturating_add(count);
        // The last in order gives way, whatever came first: the same findings in any order leave the same ones.
        if kept.len() > Self::SUBJECTS
            && let Some((_, count)) = kept.pop_last()
        {
            *self.overflow.entry(code).or_default() += count;
        }
    }

    /// Takes out the findings that `is_taken`, in the order of [`Findings::sorted`]. What stands for subjects that were not kept is
    /// asked for like any other.
    pub fn extract(&mut self, mut is_taken: impl FnMut(&Finding) -> bool) -> Vec<Finding> {
        let mut taken = self.sorted();
        taken.retain(|finding| is_taken(finding));
        for finding in &taken {
            if finding.is_rest {
                self.overflow.remove(&finding.code);
            } else if let Some(kept) = self.counts.get_mut(&finding.code) {
                kept.remove(&(finding.subject.clone(), finding.message.clone()));
            }
        }
        // A code is listed, and counts for the worst severity, as long as there is anything of it.
        self.counts.retain(|code, kept| !kept.is_empty() || self.overflow.contains_key(code));
        taken
    }

    /// Takes over all findings of `other`.
    pub fn merge(&mut self, other: Self) {
        for (code, findings) in other.counts {
            for ((subject, message), count) in findings {
                self.add_many(code, subject, message, count);
            }
        }
        for (code, count) in other.overflow {
            *self.overflow.entry(code).or_default() += count;
        }
    }

    /// Takes over what `other` says and this one does not.
    pub fn merge_new(&mut self, mut other: Self) {
        for (code, findings) in &mut other.counts {
            findings.retain(|finding, _| self.counts.get(code).is_none_or(|known| !known.contains_key(finding)));
        }
        self.merge(other);
    }

    /// The findings, worst code first, then by code and subject.
    pub fn sorted(&self) -> Vec<Finding> {
        let mut codes: Vec<Code> = self.counts.keys().copied().collect();
        codes.sort_by_key(|code| (std::cmp::Reverse(code.severity()), *code));
        let mut sorted = Vec::new();
        for code in codes {
            for ((subject, message), count) in &self.counts[&code] {
                sorted.push(Finding { code, subject: subject.clone(), message: message.clone(), count: *count, is_rest: false });
            }
            if let Some(&count) = self.overflow.get(&code) {
                let message = format!("were counted and not kept: only the first {} are", Self::SUBJECTS);
                sorted.push(Finding { code, subject: "further subjects".into(), message, count, is_rest: true });
            }
        }
        sorted
    }

    /// The worst severity, if there is any finding.
    pub fn worst(&self) -> Option<Severity> {
        self.counts.keys().map(|code| code.severity()).max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_findings_in_any_order_are_the_same() {
        let subjects: Vec<String> = (0..Findings::SUBJECTS + 20).map(|number| format!("{number:05}")).collect();
        let mut forward = Findings::default();
        let mut backward = Findings::default();
        for subject in &subjects {
            forward.add(Code::Icmp, subject, "echo");
        }
        for subject in subjects.iter().rev() {
            backward.add(Code::Icmp, subject, "echo");
        }
        assert_eq!(forward, backward);
        assert_eq!(forward.sorted().len(), Findings::SUBJECTS + 1);
    }

    #[test]
    fn what_is_taken_out_is_gone_and_the_rest_stays() {
        let mut findings = Findings::default();
        for number in 0..Findings::SUBJECTS + 2 {
            findings.add(Code::Icmp, format!("{number:05}"), "echo");
        }
        findings.add(Code::MetadataAddress, "prod/web", "was answered");
        let taken = findings.extract(|finding| finding.code == Code::MetadataAddress || finding.subject == "00007");
        assert_eq!(taken.iter().map(|finding| finding.subject.as_str()).collect::<Vec<_>>(), ["prod/web", "00007"]);
        assert_eq!(findings.worst(), Some(Severity::Warning));
        assert_eq!(findings.sorted().len(), Findings::SUBJECTS - 1 + 1, "those not kept are still told");
        assert_eq!(
            findings.extract(|finding| finding.code == Code::Icmp).len(),
            Findings::SUBJECTS,
            "and go with all of the code"
        );
        assert_eq!((findings.worst(), findings), (None, Findings::default()));
    }

    #[test]
    fn the_worst_come_first() {
        let mut findings = Findings::default();
        findings.add(Code::Multicast, "prod/web", "mDNS");
        findings.add(Code::MetadataAddress, "prod/web", "was answered");
        let codes: Vec<Code> = findings.sorted().iter().map(|finding| finding.code).collect();
        assert_eq!(codes, [Code::MetadataAddress, Code::Multicast]);
    }

    #[test]
    fn codes_are_unique_and_kebab_case() {
        let names: std::collections::BTreeSet<&str> = Code::ALL.iter().map(|code| code.name()).collect();
        assert_eq!(names.len(), Code::ALL.len());
        assert!(names.iter().all(|name| name.chars().all(|letter| letter.is_ascii_lowercase() || letter == '-')));
    }
}
