// Checks what kustomize renders, with Kubernetes' own code: each object is decoded strictly (an unknown field is a
// mistake), each pod is held against the `restricted` pod security standard, and the network policies against the edges
// that the fleet has and those that it must not have.
//
//	kustomize build k8s/overlays/dev | k8s-check dev
//
// The argument is the overlay: edges to servers are looked at where the servers are in the cluster.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

// What was rendered, and what is wrong with it.
type checked struct {
	objects  int
	pods     []pod
	policies []networkingv1.NetworkPolicy
	mistakes []string
}

type pod struct {
	name      string
	keepsData bool
	template  corev1.PodTemplateSpec
}

func (c *checked) wrong(format string, values ...any) {
	c.mistakes = append(c.mistakes, fmt.Sprintf(format, values...))
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: kustomize build OVERLAY | k8s-check NAME")
		os.Exit(2)
	}
	name := os.Args[1]
	var found checked
	if err := found.read(os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, "k8s-check:", err)
		os.Exit(1)
	}
	if err := found.security(); err != nil {
		fmt.Fprintln(os.Stderr, "k8s-check:", err)
		os.Exit(1)
	}
	found.habits()
	edges := 0
	if len(found.policies) > 0 {
		edges = found.edges(name == "dev")
	}
	for _, mistake := range found.mistakes {
		fmt.Printf("%s: WRONG %s\n", name, mistake)
	}
	fmt.Printf("%s: %d objects, %d pods, %d network policies, %d edges: %d mistakes\n",
		name, found.objects, len(found.pods), len(found.policies), edges, len(found.mistakes))
	if found.objects == 0 || len(found.mistakes) > 0 {
		os.Exit(1)
	}
}

func (c *checked) read(from io.Reader) error {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		corev1.AddToScheme, appsv1.AddToScheme, autoscalingv2.AddToScheme, networkingv1.AddToScheme, policyv1.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			return err
		}
	}
	decoder := serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer()
	documents := yaml.NewYAMLReader(bufio.NewReader(from))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		object, kind, err := decoder.Decode(document, nil, nil)
		if err != nil {
			c.wrong("%v: %.60s", err, document)
			continue
		}
		c.objects++
		switch object := object.(type) {
		case *appsv1.Deployment:
			c.add(kind.Kind, object.Name, false, object.Spec.Selector, object.Spec.Template)
		case *appsv1.StatefulSet:
			c.add(kind.Kind, object.Name, true, object.Spec.Selector, object.Spec.Template)
		case *appsv1.DaemonSet:
			c.add(kind.Kind, object.Name, true, object.Spec.Selector, object.Spec.Template)
		case *networkingv1.NetworkPolicy:
			c.policies = append(c.policies, *object)
		}
	}
}

func (c *checked) add(kind, name string, keepsData bool, selector *metav1.LabelSelector, template corev1.PodTemplateSpec) {
	matches, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil || !matches.Matches(labels.Set(template.Labels)) {
		c.wrong("%s %s does not select its own pods", kind, name)
	}
	c.pods = append(c.pods, pod{name, keepsData, template})
}

// Each pod passes the `restricted` standard, as the admission of a cluster judges it.
func (c *checked) security() error {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks())
	if err != nil {
		return err
	}
	restricted := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	for _, pod := range c.pods {
		results := evaluator.EvaluatePod(restricted, &pod.template.ObjectMeta, &pod.template.Spec)
		if verdict := policy.AggregateCheckResults(results); !verdict.Allowed {
			c.wrong("pod %s is not restricted: %s", pod.name, verdict.ForbiddenDetail())
		}
	}
	return nil
}

// What the standard does not ask for, and this fleet does.
func (c *checked) habits() {
	for _, pod := range c.pods {
		spec := pod.template.Spec
		if spec.AutomountServiceAccountToken == nil || *spec.AutomountServiceAccountToken {
			c.wrong("pod %s has a token for the cluster's API", pod.name)
		}
		for _, container := range spec.Containers {
			security, resources := container.SecurityContext, container.Resources
			if security == nil || security.ReadOnlyRootFilesystem == nil || !*security.ReadOnlyRootFilesystem {
				c.wrong("container %s can write to its root file system", container.Name)
			}
			if resources.Requests.Cpu().IsZero() || resources.Requests.Memory().IsZero() || resources.Limits.Memory().IsZero() {
				c.wrong("container %s lacks a request of cpu or memory, or a limit of memory", container.Name)
			}
			if container.StartupProbe == nil || container.ReadinessProbe == nil || container.LivenessProbe == nil && !pod.keepsData {
				c.wrong("container %s lacks a probe", container.Name)
			}
			if live, ready := container.LivenessProbe, container.ReadinessProbe; live != nil && ready != nil &&
				live.HTTPGet != nil && ready.HTTPGet != nil && live.HTTPGet.Path == ready.HTTPGet.Path {
				c.wrong("container %s is killed for what should only make it unready", container.Name)
			}
			if hook := container.Lifecycle; hook != nil && hook.PreStop != nil && hook.PreStop.Sleep != nil {
				if grace := spec.TerminationGracePeriodSeconds; grace == nil || *grace < hook.PreStop.Sleep.Seconds+15 {
					c.wrong("pod %s has no time to drain after its preStop", pod.name)
				}
			}
		}
	}
}

type edge struct {
	from, to string
	port     int32
}

var services = map[string]int32{"user-service": 3001, "product-service": 3002, "order-service": 3003, "payment-service": 3004}

var calls = map[string][]string{
	"kong":            {"user-service", "product-service", "order-service", "payment-service"},
	"product-service": {"user-service", "order-service"},
	"order-service":   {"user-service", "product-service", "payment-service"},
	"payment-service": {"user-service", "order-service"},
	"prometheus":      {"user-service", "product-service", "order-service", "payment-service"},
	"stripe-sandbox":  {"payment-service"},
}

var servers = []struct {
	name string
	port int32
	of   []string
}{
	{"mongodb", 27017, []string{"user-service"}},
	{"postgres", 5432, []string{"product-service", "order-service", "payment-service"}},
	{"redis", 6379, []string{"user-service", "product-service", "order-service", "payment-service", "kong"}},
	{"rabbitmq", 5672, []string{"user-service", "product-service", "order-service", "payment-service"}},
	{"stripe-sandbox", 3010, []string{"payment-service"}},
}

// Every pair of pods may speak if the fleet has that edge, and may not if it has none.
func (c *checked) edges(serversInCluster bool) int {
	callers := []string{"user-service", "product-service", "order-service", "payment-service", "kong", "stranger"}
	if serversInCluster {
		callers = append(callers, "stripe-sandbox", "redis", "postgres")
	}
	looked := 0
	look := func(e edge, wanted bool) {
		looked++
		if c.allowed(e) != wanted {
			c.wrong("%s to %s on %d: wanted %t", e.from, e.to, e.port, wanted)
		}
	}
	for _, from := range callers {
		for to, port := range services {
			if from != to {
				look(edge{from, to, port}, slices.Contains(calls[from], to))
				look(edge{from, to, port + 1000}, false)
			}
		}
		if serversInCluster {
			for _, server := range servers {
				if from != server.name {
					look(edge{from, server.name, server.port}, slices.Contains(server.of, from))
				}
			}
		}
	}
	// Whoever watches comes from a pod that no policy of ours lets out: its own namespace's matter. What counts is who is let in.
	for to, port := range services {
		looked++
		if !c.enters("prometheus", to, port) || c.enters("stranger", to, port) {
			c.wrong("%s on %d: prometheus may look at it, a stranger may not", to, port)
		}
	}
	return looked
}

func (c *checked) allowed(e edge) bool {
	return c.leaves(e.from, e.to, e.port) && c.enters(e.from, e.to, e.port)
}

func (c *checked) leaves(from, to string, port int32) bool {
	for _, policy := range c.policies {
		if !selects(&policy.Spec.PodSelector, from) {
			continue
		}
		for _, rule := range policy.Spec.Egress {
			if reaches(rule.To, to) && opens(rule.Ports, port) {
				return true
			}
		}
	}
	return false
}

func (c *checked) enters(from, to string, port int32) bool {
	for _, policy := range c.policies {
		if !selects(&policy.Spec.PodSelector, to) {
			continue
		}
		for _, rule := range policy.Spec.Ingress {
			if reaches(rule.From, from) && opens(rule.Ports, port) {
				return true
			}
		}
	}
	return false
}

func selects(selector *metav1.LabelSelector, app string) bool {
	matches, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && matches.Matches(labels.Set{"app": app})
}

// Whether one of the peers is this pod of the same namespace. No peer means everybody.
func reaches(peers []networkingv1.NetworkPolicyPeer, app string) bool {
	for _, peer := range peers {
		if peer.PodSelector != nil && peer.NamespaceSelector == nil && selects(peer.PodSelector, app) {
			return true
		}
	}
	return len(peers) == 0
}

func opens(ports []networkingv1.NetworkPolicyPort, port int32) bool {
	for _, open := range ports {
		if open.Port != nil && open.Port.IntVal == port {
			return true
		}
	}
	return len(ports) == 0
}
