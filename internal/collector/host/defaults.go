package host

// defaultCollectors are those that cost little and that a dashboard or a rule
// uses; docs/host-metrics.md has what each costs, and what was left out.
func defaultCollectors() []string {
	return []string{
		"bonding", "conntrack", "cpu", "cpufreq", "diskstats", "edac", "filefd", "filesystem",
		"hwmon", "kernel_hung", "loadavg", "mdadm", "meminfo", "netclass", "netdev", "netstat",
		"nvme", "os", "pressure", "schedstat", "sockstat", "softnet", "stat", "textfile",
		"thermal_zone", "time", "timex", "uname", "vmstat",
	}
}

// defaultFlags keep out of the series what comes and goes with containers.
func defaultFlags() map[string]string {
	const virtualDevices = `^(azv|br-[0-9a-f]{12}|cali|cilium|cni|docker|dummy|eni[0-9a-f]|flannel|gre|ifb|ip6tnl|kube-|lxc|nodelocaldns|sit|tap|tunl|veth|virbr|vnet|vxlan).*`
	return map[string]string{
		"filesystem.mount-points-exclude": `^/(dev|proc|sys|snap/.+|run/(containerd|credentials|docker|k3s|lock|netns|snapd|user)(/.+)?|var/lib/(containerd|containers|docker)/.+|var/lib/(kubelet|rancher)/.+)($|/)`,
		"filesystem.fs-types-exclude":     `^(autofs|binfmt_misc|bpf|cgroup2?|configfs|debugfs|devpts|devtmpfs|efivarfs|erofs|fuse\.lxcfs|fusectl|hugetlbfs|iso9660|mqueue|nsfs|overlay|proc|procfs|pstore|ramfs|rpc_pipefs|securityfs|selinuxfs|squashfs|sysfs|tracefs)$`,
		"netdev.device-exclude":           virtualDevices,
		"netclass.ignored-devices":        virtualDevices,
		// A device without a carrier has no speed, rather than one of -1.
		"netclass.ignore-invalid-speed": "true",
		// A quarter of the cost of reading sysfs, for the same series.
		"netclass.netlink": "true",
	}
}
