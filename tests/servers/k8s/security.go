package main

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

// beyond lists the requirements of the only pod that exceeds the standard `restricted`.
var beyond = map[string][]string{
	"filebeat": {"restricted volume types", "runAsNonRoot != true", "runAsUser=0"},
}

// security checks that each pod passes the `restricted` standard in the evaluation of the admission controller, and
// that its namespace enforces the standard. A pod that needs more has its own namespace, which declares this, and needs
// nothing beyond the known requirements.
func (c *checked) security() error {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks())
	if err != nil {
		return err
	}
	restricted := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	for _, pod := range c.pods {
		results := evaluator.EvaluatePod(restricted, &pod.template.ObjectMeta, &pod.template.Spec)
		verdict := policy.AggregateCheckResults(results)
		needs, known := beyond[pod.name]
		if !known && !verdict.Allowed {
			c.wrong("pod %s is not restricted: %s", pod.name, verdict.ForbiddenDetail())
		}
		if known && !slices.Equal(slices.Sorted(slices.Values(verdict.ForbiddenReasons)), slices.Sorted(slices.Values(needs))) {
			c.wrong("pod %s exceeds the standard by %q, expected %q", pod.name, verdict.ForbiddenReasons, needs)
		}
		for _, volume := range pod.template.Spec.Volumes {
			if from := volume.VolumeSource; known && from.ConfigMap == nil && from.EmptyDir == nil && from.HostPath == nil {
				c.wrong("pod %s has a volume %s of an unexpected kind", pod.name, volume.Name)
			}
		}
		for _, other := range c.pods {
			if known && other.name != pod.name && other.namespace == pod.namespace {
				c.wrong("pod %s shares the namespace %s with %s, which exceeds the standard", other.name, pod.namespace, pod.name)
			}
		}
		// A single manifest contains no namespace.
		if level, found := c.namespaces[pod.namespace]["pod-security.kubernetes.io/enforce"]; found || len(c.namespaces) > 0 {
			if want := map[bool]string{false: "restricted", true: "privileged"}[known]; level != want {
				c.wrong("pod %s: its namespace %q enforces %q, wanted %q", pod.name, pod.namespace, level, want)
			}
		}
	}
	return nil
}

// habits checks the rules of this fleet beyond the standard.
func (c *checked) habits() {
	for _, pod := range c.pods {
		spec := pod.template.Spec
		if spec.AutomountServiceAccountToken == nil || *spec.AutomountServiceAccountToken {
			c.wrong("pod %s has a token for the cluster's API", pod.name)
		}
		for _, container := range slices.Concat(spec.InitContainers, spec.Containers) {
			c.shutIn(container)
		}
		for _, container := range spec.Containers {
			// A container without ports receives no calls, and ends when it fails.
			lives := container.LivenessProbe != nil || pod.keepsData || len(container.Ports) == 0
			if container.StartupProbe == nil || container.ReadinessProbe == nil || !lives {
				c.wrong("container %s lacks a probe", container.Name)
			}
			if live, ready := container.LivenessProbe, container.ReadinessProbe; live != nil && ready != nil &&
				live.HTTPGet != nil && ready.HTTPGet != nil && live.HTTPGet.Path == ready.HTTPGet.Path {
				c.wrong("container %s has the same path for liveness and readiness", container.Name)
			}
			if hook := container.Lifecycle; hook != nil && hook.PreStop != nil && hook.PreStop.Sleep != nil {
				if grace := spec.TerminationGracePeriodSeconds; grace == nil || *grace < hook.PreStop.Sleep.Seconds+15 {
					c.wrong("pod %s has too short a grace period to drain after its preStop", pod.name)
				}
			}
			for _, volume := range spec.Volumes {
				// Folders of the node are read-only, except for those with the prefix of the fleet.
				if volume.HostPath != nil && !strings.HasPrefix(volume.HostPath.Path, "/var/lib/shopfleet-") && writes(container, volume.Name) {
					c.wrong("container %s may write to %s of the node", container.Name, volume.HostPath.Path)
				}
			}
		}
	}
}

func (c *checked) shutIn(container corev1.Container) {
	security, resources := container.SecurityContext, container.Resources
	if security == nil || security.ReadOnlyRootFilesystem == nil || !*security.ReadOnlyRootFilesystem {
		c.wrong("container %s can write to its root file system", container.Name)
	}
	if resources.Requests.Cpu().IsZero() || resources.Requests.Memory().IsZero() || resources.Limits.Memory().IsZero() {
		c.wrong("container %s lacks a CPU or memory request, or a memory limit", container.Name)
	}
}

func writes(container corev1.Container, volume string) bool {
	return slices.ContainsFunc(container.VolumeMounts, func(mount corev1.VolumeMount) bool {
		return mount.Name == volume && !mount.ReadOnly
	})
}
