package vitals

import (
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/procfs"

	"bootswain/health"
)

const (
	// window is over how long the work of the processors is averaged.
	window = 5 * time.Minute
	// bootTime is for how long a machine is not judged by how busy it is.
	bootTime = 10 * time.Minute
)

// kernel is what /proc tells of processors and memory.
type kernel struct {
	host Host
	work []work // of the last window, oldest first
}

// work is the processors' time since boot at one moment, in seconds.
type work struct {
	at          time.Time
	busy, total float64
}

func (k *kernel) look(now time.Time) Seen {
	var s Seen
	fs, err := procfs.NewFS(k.host.Proc)
	if err != nil {
		return s
	}
	k.processors(fs, now, &s)
	pressures(fs, now, &s)
	if uptime(k.host.Proc) < bootTime {
		s.Checks = nil
	}
	memory(fs, now, &s)
	return s
}

func (k *kernel) processors(fs procfs.FS, now time.Time, s *Seen) {
	stat, err := fs.Stat()
	if err != nil {
		return
	}
	t := stat.CPUTotal
	total := t.User + t.Nice + t.System + t.Idle + t.Iowait + t.IRQ + t.SoftIRQ + t.Steal
	k.work = append(k.work, work{now, total - t.Idle - t.Iowait, total})
	for len(k.work) > 2 && now.Sub(k.work[1].at) >= window {
		k.work = k.work[1:]
	}
	busy, settled := 0.0, now.Sub(k.work[0].at) >= window
	if passed := total - k.work[0].total; passed > 0 {
		busy = 100 * (total - t.Idle - t.Iowait - k.work[0].busy) / passed
	}
	if settled {
		s.Checks = append(s.Checks, Measured("processor", "", busy, fmt.Sprintf("%.0f%% busy over 5m.", busy), now))
	}
	s.add("bootswain_cpu_seconds_total", health.Counter, "Time of all processors, by what they did.", "mode",
		labelled{"user", t.User}, labelled{"nice", t.Nice}, labelled{"system", t.System}, labelled{"idle", t.Idle},
		labelled{"iowait", t.Iowait}, labelled{"irq", t.IRQ}, labelled{"softirq", t.SoftIRQ}, labelled{"steal", t.Steal})
	s.add("bootswain_boot_time_seconds", health.Gauge, "When the machine booted, in Unix time.", "", labelled{value: float64(stat.BootTime)})
	load, err := fs.LoadAvg()
	if err != nil {
		return
	}
	each := load.Load15 / float64(max(len(stat.CPU), 1))
	s.Checks = append(s.Checks, Measured("load", "", each, fmt.Sprintf("%.2f tasks for each of %d processors over 15m.", each, len(stat.CPU)), now))
	s.add("bootswain_load", health.Gauge, "Tasks that run or wait, averaged over so many minutes.", "minutes",
		labelled{"1", load.Load1}, labelled{"5", load.Load5}, labelled{"15", load.Load15})
}

func memory(fs procfs.FS, now time.Time, s *Seen) {
	m, err := fs.Meminfo()
	if err != nil || m.MemTotalBytes == nil || m.MemAvailableBytes == nil || *m.MemTotalBytes == 0 {
		return
	}
	total, available := float64(*m.MemTotalBytes), float64(*m.MemAvailableBytes)
	s.Checks = append(s.Checks, Measured("memory", "", 100*available/total, fmt.Sprintf("%s of %s available.", size(available), size(total)), now))
	s.add("bootswain_memory_total_bytes", health.Gauge, "Memory of the machine.", "", labelled{value: total})
	s.add("bootswain_memory_available_bytes", health.Gauge, "Memory that programs can still have.", "", labelled{value: available})
	if m.SwapTotalBytes == nil || m.SwapFreeBytes == nil || *m.SwapTotalBytes == 0 {
		return
	}
	swap, free := float64(*m.SwapTotalBytes), float64(*m.SwapFreeBytes)
	s.Checks = append(s.Checks, Measured("swap", "", 100*(swap-free)/swap, fmt.Sprintf("%s of %s taken.", size(swap-free), size(swap)), now))
	s.add("bootswain_swap_total_bytes", health.Gauge, "Swap of the machine.", "", labelled{value: swap})
	s.add("bootswain_swap_free_bytes", health.Gauge, "Swap that is not taken.", "", labelled{value: free})
}

// pressures are the kernel's stall times; a kernel without them says nothing.
func pressures(fs procfs.FS, now time.Time, s *Seen) {
	for _, resource := range []string{"cpu", "memory", "io"} {
		p, err := fs.PSIStatsForResource(resource)
		if err != nil || p.Some == nil {
			continue
		}
		line, who := p.Full, "all tasks"
		if resource == "cpu" || line == nil {
			line, who = p.Some, "some task"
		}
		s.Checks = append(s.Checks, Measured("pressure:"+resource, "", line.Avg300, fmt.Sprintf("%s waited for it in %.0f%% of 5m.", who, line.Avg300), now))
		values := []labelled{{"some", float64(p.Some.Total) / 1e6}}
		if p.Full != nil {
			values = append(values, labelled{"full", float64(p.Full.Total) / 1e6})
		}
		s.add("bootswain_pressure_"+resource+"_waiting_seconds_total", health.Counter, "Time in which some or all tasks waited for it.", "tasks", values...)
	}
}

// labelled is a value and its one label's.
type labelled struct {
	label string
	value float64
}

// add adds a family, or to one that is there.
func (s *Seen) add(name string, kind health.Kind, help, label string, values ...labelled) {
	f := health.Family{Name: name, Kind: kind, Help: help}
	for _, v := range values {
		sample := health.Sample{Value: v.value}
		if label != "" {
			sample.Labels = map[string]string{label: v.label}
		}
		f.Samples = append(f.Samples, sample)
	}
	if i := slices.IndexFunc(s.Families, func(g health.Family) bool { return g.Name == name }); i >= 0 {
		s.Families[i].Samples = append(s.Families[i].Samples, f.Samples...)
		return
	}
	s.Families = append(s.Families, f)
}

// size writes bytes as people do.
func size(n float64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	i := 0
	for n >= 1024 && i < len(units)-1 {
		n, i = n/1024, i+1
	}
	return fmt.Sprintf("%.3g %s", n, units[i])
}
