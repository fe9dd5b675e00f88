package main

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// listener identifies a port of a pod.
type listener struct {
	name string
	port int32
}

// openTo maps each port to the pods that may connect to it.
var openTo = map[listener][]string{
	{"user-service", 3001}:    {"kong", "product-service", "order-service", "payment-service", "prometheus", "auditor"},
	{"product-service", 3002}: {"kong", "order-service", "prometheus", "auditor"},
	{"order-service", 3003}:   {"kong", "product-service", "payment-service", "prometheus", "auditor"},
	{"payment-service", 3004}: {"kong", "order-service", "stripe-sandbox", "prometheus", "auditor"},
	{"kong", 8000}:            {"blackbox-exporter"},
	{"kong", 8100}:            {"prometheus"},

	{"mongodb", 27017}:       {"user-service", "mongodb-exporter"},
	{"postgres", 5432}:       {"product-service", "order-service", "payment-service", "postgres-exporter"},
	{"redis", 6379}:          {"user-service", "product-service", "order-service", "payment-service", "kong", "redis-exporter"},
	{"rabbitmq", 5672}:       {"user-service", "product-service", "order-service", "payment-service"},
	{"rabbitmq", 15692}:      {"prometheus"},
	{"stripe-sandbox", 3010}: {"payment-service", "auditor"},

	{"prometheus", 9090}:        {"grafana"},
	{"alertmanager", 9093}:      {"prometheus"},
	{"auditor", 9108}:           {"prometheus"},
	{"blackbox-exporter", 9115}: {"prometheus"},
	{"mongodb-exporter", 9216}:  {"prometheus"},
	{"postgres-exporter", 9187}: {"prometheus"},
	{"redis-exporter", 9121}:    {"prometheus"},
	{"jaeger", 4318}:            {"user-service", "product-service", "order-service", "payment-service"},
	{"jaeger", 14269}:           {"prometheus"},
	{"jaeger", 16686}:           {"grafana"},

	{"elasticsearch", 9200}: {"elasticsearch-setup", "kibana", "grafana", "filebeat"},
	{"kibana", 5601}:        {"elasticsearch-setup"},
	{"grafana", 3000}:       {},
}

// edges checks that each pod can connect to each other pod on the allowed ports only, and on no other port.
func (c *checked) edges() int {
	c.denied()
	looked := 0
	look := func(from, to pod, port int32, wanted bool) {
		looked++
		if (c.lets(from, to, port, egress) && c.lets(to, from, port, ingress)) != wanted {
			c.wrong("%s to %s on %d: wanted %t", from.name, to.name, port, wanted)
		}
	}
	// Pods without a policy: beside the fleet, and in a namespace without restrictions.
	strangers := []pod{{name: "a stranger", namespace: "shopfleet"}, {name: "a stranger", namespace: "elsewhere"}}
	// Prometheus scrapes RabbitMQ by the jobs of the exporters component.
	exporters := slices.ContainsFunc(c.pods, func(pod pod) bool { return pod.name == "redis-exporter" })
	for _, to := range c.pods {
		for _, port := range to.ports() {
			callers, known := openTo[listener{to.name, port}]
			if to.name == "rabbitmq" && port == 15692 && !exporters {
				callers = nil
			}
			if !known {
				c.wrong("%s listens on %d, which has no entry in openTo", to.name, port)
			}
			for _, from := range c.pods {
				if from.name != to.name {
					look(from, to, port, slices.Contains(callers, from.name))
					look(from, to, port+1000, false)
				}
			}
			for _, from := range strangers {
				looked++
				if public := to.name == "kong" && port == 8000; c.lets(to, from, port, ingress) != public {
					c.wrong("%s of the namespace %s to %s on %d: wanted %t", from.name, from.namespace, to.name, port, public)
				}
			}
		}
	}
	// Prometheus may connect from a namespace with the monitoring label.
	c.namespaces["watching"] = map[string]string{"shopfleet.io/monitoring": "true"}
	watcher := pod{name: "prometheus", namespace: "watching"}
	for _, to := range c.pods {
		// Pods of a component are scraped by the Prometheus of the same namespace.
		if !strings.HasSuffix(to.name, "-service") && to.name != "kong" {
			continue
		}
		for _, port := range to.ports() {
			looked++
			if !c.lets(to, watcher, port, ingress) {
				c.wrong("%s on %d: Prometheus of another namespace is denied", to.name, port)
			}
		}
	}
	return looked
}

// denied checks that each namespace with pods denies all traffic by default, in both directions.
func (c *checked) denied() {
	for _, pod := range c.pods {
		found := slices.ContainsFunc(c.policies, func(policy networkingv1.NetworkPolicy) bool {
			spec := policy.Spec
			return policy.Namespace == pod.namespace && len(spec.PodSelector.MatchLabels)+len(spec.PodSelector.MatchExpressions) == 0 &&
				len(spec.PolicyTypes) == 2 && len(spec.Ingress)+len(spec.Egress) == 0
		})
		if !found {
			c.wrong("%s is in the namespace %s, which does not deny traffic by default", pod.name, pod.namespace)
		}
	}
}

// rule contains the peers and ports that a policy allows.
type rule struct {
	peers []networkingv1.NetworkPolicyPeer
	ports []networkingv1.NetworkPolicyPort
}

func egress(spec networkingv1.NetworkPolicySpec) (rules []rule) {
	for _, one := range spec.Egress {
		rules = append(rules, rule{one.To, one.Ports})
	}
	return rules
}

func ingress(spec networkingv1.NetworkPolicySpec) (rules []rule) {
	for _, one := range spec.Ingress {
		rules = append(rules, rule{one.From, one.Ports})
	}
	return rules
}

// lets reports whether a policy of the first pod allows traffic with the other one in the direction of the given rules.
func (c *checked) lets(own, other pod, port int32, rules func(networkingv1.NetworkPolicySpec) []rule) bool {
	return slices.ContainsFunc(c.policies, func(policy networkingv1.NetworkPolicy) bool {
		return covers(&policy, own) && slices.ContainsFunc(rules(policy.Spec), func(one rule) bool {
			return c.reaches(policy.Namespace, one.peers, other) && opens(one.ports, port)
		})
	})
}

// covers reports whether a policy selects the pod.
func covers(policy *networkingv1.NetworkPolicy, pod pod) bool {
	return policy.Namespace == pod.namespace && selects(&policy.Spec.PodSelector, pod.template.Labels)
}

func selects(selector *metav1.LabelSelector, of map[string]string) bool {
	matches, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && matches.Matches(labels.Set(of))
}

// reaches reports whether the peers of a policy in the namespace include the pod. An empty list means every pod; an
// address block is outside the cluster.
func (c *checked) reaches(namespace string, peers []networkingv1.NetworkPolicyPeer, pod pod) bool {
	for _, peer := range peers {
		if peer.IPBlock != nil {
			continue
		}
		there := pod.namespace == namespace
		if peer.NamespaceSelector != nil {
			there = selects(peer.NamespaceSelector, c.labels(pod.namespace))
		}
		if there && (peer.PodSelector == nil || selects(peer.PodSelector, pod.template.Labels)) {
			return true
		}
	}
	return len(peers) == 0
}

// labels returns the labels of a namespace, including the one that the cluster sets.
func (c *checked) labels(namespace string) map[string]string {
	all := map[string]string{"kubernetes.io/metadata.name": namespace}
	for name, value := range c.namespaces[namespace] {
		all[name] = value
	}
	return all
}

func opens(ports []networkingv1.NetworkPolicyPort, port int32) bool {
	for _, open := range ports {
		if open.Port != nil && open.Port.IntVal == port && (open.Protocol == nil || *open.Protocol == corev1.ProtocolTCP) {
			return true
		}
	}
	return len(ports) == 0
}
