package main

// host shows CPU, memory, disk and network, and who uses them.
func host() dashboard {
	return dashboard{
		uid: "hedgewatch-host", title: "Host: CPU and memory",
		question: "Has this host what it needs, for the peaks too, and who uses it?",
		vars:     []object{variable("instance", "Host", `label_values(node_uname_info, instance)`)},
		rows: []row{
			{height: 4, panels: []panel{
				stat("CPU busy", "percentunit", query{`max(instance:node_cpu_utilisation:rate5m{instance=~"$instance"})`, "busiest host"},
					thresholds("green", step{0.8, "orange"}, step{0.9, "red"}), between(0, 1)),
				stat("Memory used", "percentunit", query{`max(instance:node_memory_utilisation:ratio{instance=~"$instance"})`, "fullest host"},
					thresholds("green", step{0.8, "orange"}, step{0.9, "red"}), between(0, 1)),
				stat("Fullest file system", "percentunit", query{
					`max(1 - node_filesystem_avail_bytes{instance=~"$instance", fstype!~"tmpfs|ramfs|squashfs|overlay"} / node_filesystem_size_bytes)`, "used",
				}, thresholds("green", step{0.8, "orange"}, step{0.95, "red"}), between(0, 1)),
				stat("Processes killed for memory", "none", query{`sum(increase(node_vmstat_oom_kill{instance=~"$instance"}[$__range]))`, "in this range"},
					thresholds("green", step{1, "red"}), flat),
				stat("Running since", "dateTimeFromNow", query{`max(node_boot_time_seconds{instance=~"$instance"}) * 1000`, "boot"}, flat),
			}},
			{title: "CPU", height: 8, panels: []panel{
				graph("How busy are the CPUs?", "percentunit", []query{{`instance:node_cpu_utilisation:rate5m{instance=~"$instance"}`, "{{instance}}"}},
					thresholds("green", step{0.9, "red"}), between(0, 1)),
				graph("With what?", "percentunit", []query{{
					`sum by (mode) (rate(node_cpu_seconds_total{instance=~"$instance", mode!="idle"}[$__rate_interval])) / ignoring (mode) group_left sum(instance:node_num_cpu:sum{instance=~"$instance"})`, "{{mode}}",
				}}, stacked, about("iowait is idle time; steal is time that the hypervisor gave to others.")),
				graph("Do tasks wait for a CPU, for memory, for a disk?", "percentunit", []query{
					{`rate(node_pressure_cpu_waiting_seconds_total{instance=~"$instance"}[$__rate_interval])`, "CPU, {{instance}}"},
					{`rate(node_pressure_memory_waiting_seconds_total{instance=~"$instance"}[$__rate_interval])`, "memory, {{instance}}"},
					{`rate(node_pressure_io_waiting_seconds_total{instance=~"$instance"}[$__rate_interval])`, "disk, {{instance}}"},
				}, about("Pressure stall information: the share of time in which at least one task waited.")),
			}},
			{title: "Memory", height: 8, panels: []panel{
				graph("How full is memory?", "percentunit", []query{{`instance:node_memory_utilisation:ratio{instance=~"$instance"}`, "{{instance}}"}},
					thresholds("green", step{0.9, "red"}), between(0, 1)),
				graph("What is in it?", "bytes", []query{
					{`sum(node_memory_MemTotal_bytes{instance=~"$instance"} - node_memory_MemAvailable_bytes{instance=~"$instance"})`, "used"},
					{`sum(node_memory_Cached_bytes{instance=~"$instance"} + node_memory_Buffers_bytes{instance=~"$instance"})`, "cache"},
					{`sum(node_memory_MemFree_bytes{instance=~"$instance"})`, "free"},
				}, stacked),
				graph("How often is a page missing?", "ops", []query{{`instance:node_vmstat_pgmajfault:rate5m{instance=~"$instance"}`, "{{instance}}"}},
					about("Major page faults: something in use had to be read from disk.")),
			}},
			{title: "Process groups", height: 8, panels: []panel{
				graph("Who uses the CPUs?", "none", []query{{
					`sum by (groupname) (rate(namedprocess_namegroup_cpu_seconds_total{instance=~"$instance"}[$__rate_interval]))`, "{{groupname}}",
				}}, ranked, absent("no groups: name them under host.processes")),
				graph("Who uses the memory?", "bytes", []query{{
					`sum by (groupname) (namedprocess_namegroup_memory_bytes{instance=~"$instance", memtype="resident"})`, "{{groupname}}",
				}}, ranked, absent("no groups: name them under host.processes")),
			}},
			{title: "Disk and network", height: 8, panels: []panel{
				graph("How full are the file systems?", "percentunit", []query{{
					`1 - node_filesystem_avail_bytes{instance=~"$instance", fstype!~"tmpfs|ramfs|squashfs|overlay"} / node_filesystem_size_bytes`, "{{instance}} {{mountpoint}}",
				}}, thresholds("green", step{0.95, "red"}), between(0, 1)),
				graph("How busy are the disks?", "percentunit", []query{{`instance_device:node_disk_io_time_seconds:rate5m{instance=~"$instance"}`, "{{instance}} {{device}}"}}, between(0, 1)),
				graph("How much goes over the network?", "Bps", []query{
					{`instance:node_network_receive_bytes_excluding_lo:rate5m{instance=~"$instance"}`, "in, {{instance}}"},
					{`-instance:node_network_transmit_bytes_excluding_lo:rate5m{instance=~"$instance"}`, "out, {{instance}}"},
				}),
			}},
		},
	}
}
