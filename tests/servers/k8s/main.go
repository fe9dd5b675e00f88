// Command k8s-check validates manifests rendered by kustomize with Kubernetes' own code: each object is decoded
// strictly (an unknown field is an error), each pod is evaluated against the pod security standard of its namespace,
// the objects that pods and Services reference must exist, and the network policies must allow the connections of the
// fleet and no others.
//
//	kustomize build k8s/overlays/dev | k8s-check dev
//
// The argument is the name in its output.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// checked contains the rendered objects and the errors found in them.
type checked struct {
	objects  int
	pods     []pod
	policies []networkingv1.NetworkPolicy
	services []corev1.Service
	// Labels of each namespace.
	namespaces map[string]map[string]string
	// Keys of each ConfigMap and Secret.
	kept     map[named][]string
	mistakes []string
}

type pod struct {
	name, namespace string
	keepsData       bool
	template        corev1.PodTemplateSpec
	// Volumes outside the template.
	claims []corev1.Volume
}

func (p pod) ports() []int32 {
	var ports []int32
	for _, container := range p.template.Spec.Containers {
		for _, port := range container.Ports {
			ports = append(ports, port.ContainerPort)
		}
	}
	return ports
}

// listens reports whether the pod listens on the target port of a Service.
func (p pod) listens(port corev1.ServicePort) bool {
	for _, container := range p.template.Spec.Containers {
		for _, own := range container.Ports {
			if own.Name == port.TargetPort.StrVal || own.ContainerPort == port.TargetPort.IntVal {
				return true
			}
		}
	}
	return false
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
	found := checked{namespaces: map[string]map[string]string{}, kept: map[named][]string{}}
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
		// A single manifest contains no Secrets and no policies.
		found.references()
		edges = found.edges()
	}
	for _, mistake := range found.mistakes {
		fmt.Printf("%s: ERROR %s\n", name, mistake)
	}
	fmt.Printf("%s: %d objects, %d pods, %d network policies, %d edges: %d errors\n",
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
		if len(document) > largest {
			c.wrong("%s is too large to be applied: %d bytes", kind.Kind, len(document))
		}
		switch object := object.(type) {
		case *corev1.Namespace:
			c.namespaces[object.Name] = object.Labels
		case *corev1.Service:
			c.services = append(c.services, *object)
		case *corev1.ConfigMap:
			c.kept[named{kind.Kind, object.Namespace, object.Name}] = slices.Concat(slices.Collect(maps.Keys(object.Data)), slices.Collect(maps.Keys(object.BinaryData)))
		case *corev1.Secret:
			c.kept[named{kind.Kind, object.Namespace, object.Name}] = slices.Collect(maps.Keys(object.Data))
		case *appsv1.Deployment:
			c.add(object.ObjectMeta, false, object.Spec.Selector, object.Spec.Template, nil)
		case *appsv1.StatefulSet:
			c.add(object.ObjectMeta, true, object.Spec.Selector, object.Spec.Template, object.Spec.VolumeClaimTemplates)
		case *appsv1.DaemonSet:
			c.add(object.ObjectMeta, true, object.Spec.Selector, object.Spec.Template, nil)
		case *networkingv1.NetworkPolicy:
			c.policies = append(c.policies, *object)
		}
	}
}

func (c *checked) add(meta metav1.ObjectMeta, keepsData bool, selector *metav1.LabelSelector, template corev1.PodTemplateSpec, claims []corev1.PersistentVolumeClaim) {
	if !selects(selector, template.Labels) {
		c.wrong("%s does not select its own pods", meta.Name)
	}
	made := pod{name: meta.Name, namespace: meta.Namespace, keepsData: keepsData, template: template}
	for _, claim := range claims {
		made.claims = append(made.claims, corev1.Volume{Name: claim.Name})
	}
	c.pods = append(c.pods, made)
}
