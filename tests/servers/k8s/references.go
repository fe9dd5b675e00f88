package main

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// largest is the maximum size of an object: `kubectl apply` stores a copy of it as an annotation.
const largest = 256 << 10

// named identifies an object in a namespace.
type named struct {
	kind, namespace, name string
}

// references checks that the objects and keys that pods reference exist in their namespace, and that every Service
// leads to a pod that listens on its port.
func (c *checked) references() {
	for _, pod := range c.pods {
		spec := pod.template.Spec
		for _, volume := range spec.Volumes {
			if from := volume.ConfigMap; from != nil {
				c.there(pod, named{"ConfigMap", pod.namespace, from.Name}, keysOf(from.Items), from.Optional)
			}
			if from := volume.Secret; from != nil {
				c.there(pod, named{"Secret", pod.namespace, from.SecretName}, keysOf(from.Items), from.Optional)
			}
		}
		for _, container := range slices.Concat(spec.InitContainers, spec.Containers) {
			for _, variable := range container.Env {
				if from := variable.ValueFrom; from != nil && from.SecretKeyRef != nil {
					c.there(pod, named{"Secret", pod.namespace, from.SecretKeyRef.Name}, []string{from.SecretKeyRef.Key}, from.SecretKeyRef.Optional)
				}
				if from := variable.ValueFrom; from != nil && from.ConfigMapKeyRef != nil {
					c.there(pod, named{"ConfigMap", pod.namespace, from.ConfigMapKeyRef.Name}, []string{from.ConfigMapKeyRef.Key}, from.ConfigMapKeyRef.Optional)
				}
			}
			for _, mount := range container.VolumeMounts {
				c.mounted(pod, container, mount)
			}
		}
	}
	for _, service := range c.services {
		for _, port := range service.Spec.Ports {
			leads := slices.ContainsFunc(c.pods, func(pod pod) bool {
				return pod.namespace == service.Namespace && includes(pod.template.Labels, service.Spec.Selector) && pod.listens(port)
			})
			if !leads {
				c.wrong("the Service %s leads to no pod that listens on %s", service.Name, port.TargetPort.String())
			}
		}
	}
}

func (c *checked) there(pod pod, what named, keys []string, optional *bool) {
	found, ok := c.kept[what]
	if !ok {
		if optional == nil || !*optional {
			c.wrong("pod %s references the %s %s of %s, which does not exist", pod.name, what.kind, what.name, what.namespace)
		}
		return
	}
	for _, key := range keys {
		if !slices.Contains(found, key) {
			c.wrong("pod %s references the key %s of the %s %s, which does not exist", pod.name, key, what.kind, what.name)
		}
	}
}

// mounted checks that the volume of a mount exists, and that a single file of a ConfigMap is one of its keys.
func (c *checked) mounted(pod pod, container corev1.Container, mount corev1.VolumeMount) {
	volumes := slices.Concat(pod.template.Spec.Volumes, pod.claims)
	index := slices.IndexFunc(volumes, func(volume corev1.Volume) bool { return volume.Name == mount.Name })
	if index < 0 {
		c.wrong("container %s mounts %s, which is not a volume of its pod", container.Name, mount.Name)
		return
	}
	if from := volumes[index].ConfigMap; from != nil && mount.SubPath != "" {
		c.there(pod, named{"ConfigMap", pod.namespace, from.Name}, []string{mount.SubPath}, from.Optional)
	}
}

func keysOf(items []corev1.KeyToPath) []string {
	var keys []string
	for _, item := range items {
		keys = append(keys, item.Key)
	}
	return keys
}

func includes(all, some map[string]string) bool {
	for name, value := range some {
		if all[name] != value {
			return false
		}
	}
	return len(some) > 0
}
