package health

// families are the numbers of a report and its checks, then those that the
// report brings.
func families(r Report, checks []Check) []Family {
	one := func(value float64, labels map[string]string) []Sample {
		return []Sample{{Labels: labels, Value: value}}
	}
	status := Family{Name: "bootswain_check_status", Kind: Gauge, Help: "How a check stands: 0 pass, 1 warn, 2 fail."}
	since := Family{Name: "bootswain_check_since_timestamp_seconds", Kind: Gauge, Help: "Since when a check stands so, in Unix time."}
	for _, c := range checks {
		labels := map[string]string{"check": c.Name}
		status.Samples = append(status.Samples, Sample{labels, c.Status.number()})
		if !c.Since.IsZero() {
			since.Samples = append(since.Samples, Sample{labels, float64(c.Since.UnixMilli()) / 1e3})
		}
	}
	all := []Family{
		{Name: "bootswain_info", Kind: Gauge, Help: "Always 1; the labels say which bootswain, on which machine.",
			Samples: one(1, map[string]string{"release": r.Release, "instance_id": r.Instance, "boot_id": r.Boot})},
		{Name: "bootswain_status", Kind: Gauge, Help: "The worst of all checks: 0 pass, 1 warn, 2 fail.", Samples: one(Worst(checks).number(), nil)},
		{Name: "bootswain_ready", Kind: Gauge, Help: "Whether the machine does its work, as /readyz says it.", Samples: one(truth(Settled(checks)), nil)},
		status, since,
	}
	if !r.Time.IsZero() {
		all = append(all, Family{Name: "bootswain_report_timestamp_seconds", Kind: Gauge,
			Help: "When the daemon wrote what is answered here, in Unix time.", Samples: one(float64(r.Time.UnixMilli())/1e3, nil)})
	}
	all = append(all, storage(r)...)
	if r.MySQL != nil && r.MySQL.Status != nil {
		all = append(all, r.MySQL.Status.families()...)
	}
	return append(all, r.Numbers.Metrics...)
}

// storage is the volumes and the steps that made them ready.
func storage(r Report) []Family {
	mounted := Family{Name: "bootswain_volume_mounted", Kind: Gauge, Help: "Whether a volume is mounted where it belongs."}
	devices := Family{Name: "bootswain_volume_devices", Kind: Gauge, Help: "A volume's devices, there and missing."}
	steps := Family{Name: "bootswain_step_duration_seconds", Kind: Gauge, Help: "How long a step of making the machine ready took when it was last done."}
	for _, v := range r.Volumes {
		mounted.Samples = append(mounted.Samples, Sample{map[string]string{"volume": v.Name}, truth(v.Mounted)})
		missing := 0
		for _, d := range v.Devices {
			missing += int(truth(d.Missing))
		}
		devices.Samples = append(devices.Samples,
			Sample{map[string]string{"volume": v.Name, "state": "present"}, float64(len(v.Devices) - missing)},
			Sample{map[string]string{"volume": v.Name, "state": "missing"}, float64(missing)})
	}
	for _, s := range r.Steps {
		steps.Samples = append(steps.Samples, Sample{map[string]string{"step": s.Name}, s.Duration.Seconds()})
	}
	var all []Family
	for _, f := range []Family{mounted, devices, steps} {
		if len(f.Samples) > 0 {
			all = append(all, f)
		}
	}
	return all
}

func (s Status) number() float64 {
	switch s {
	case Pass:
		return 0
	case Warn:
		return 1
	}
	return 2
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
