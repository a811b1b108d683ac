package agent

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Config is the image's own configuration, /etc/bootswain/bootswain.yaml. It
// is the same for every instance of the image; what differs is launch data.
type Config struct {
	// DefaultUser gets the EC2 key pair; it is created if absent.
	DefaultUser string `yaml:"default_user"`
	Launch      struct {
		// File is read instead of the instance metadata service, for images
		// used outside EC2.
		File string `yaml:"file"`
		// NoCloud is a NoCloud seed, which is read instead: a directory, a disk's
		// path or its label, "cidata".
		NoCloud string `yaml:"nocloud"`
		// Endpoint is where the metadata service is asked, "http://…"; its usual
		// address if empty.
		Endpoint string `yaml:"endpoint"`
		// IPv6 asks it at its IPv6 address.
		IPv6 bool `yaml:"ipv6"`
	} `yaml:"launch"`
	AWS struct {
		// Endpoints are where services are asked, by the name that is in their own
		// addresses: "ec2", "secretsmanager", to "https://…". The region's own are
		// asked for others. AWS's environment variables go before them.
		Endpoints map[string]string `yaml:"endpoints"`
	} `yaml:"aws"`
	SSH struct {
		// RootLogin lets root log in with a key of its own authorized_keys.
		RootLogin bool `yaml:"root_login"`
	} `yaml:"ssh"`
	Health struct {
		// Listen is where health answers unless the launch data says
		// otherwise; the socket unit's own address if empty.
		Listen string `yaml:"listen"`
		// WebConfig is the file that says who may ask, unless the launch data
		// names another; everybody who reaches the address if empty.
		WebConfig string `yaml:"web_config"`
	} `yaml:"health"`
}

// useEndpoints has Amazon's SDK ask where the configuration says, in this
// process and in those that it starts.
func (c Config) useEndpoints() error {
	for service, url := range c.AWS.Endpoints {
		id := strings.ToUpper(strings.NewReplacer("-", "_", " ", "_").Replace(service))
		if id == "SECRETSMANAGER" { // the only one of those asked whose id has another spelling than its address
			id = "SECRETS_MANAGER"
		}
		name := "AWS_ENDPOINT_URL_" + id
		if os.Getenv(name) != "" {
			continue
		}
		if err := os.Setenv(name, url); err != nil {
			return fmt.Errorf("cannot use aws.endpoints.%s: %w", service, err)
		}
	}
	return nil
}

func loadConfig(path string) (Config, error) {
	c := Config{DefaultUser: "admin"}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return c, fmt.Errorf("cannot read the image's configuration: %w", err)
	}
	d := yaml.NewDecoder(bytes.NewReader(b))
	d.KnownFields(true)
	if err := d.Decode(&c); err != nil && !errors.Is(err, io.EOF) {
		return c, fmt.Errorf("cannot use %s: %w", path, err)
	}
	if c.Launch.File != "" && c.Launch.NoCloud != "" {
		return c, fmt.Errorf("cannot use %s: launch.file contradicts launch.nocloud; keep one of them", path)
	}
	if w := c.Health.WebConfig; w != "" && !filepath.IsAbs(w) {
		return c, fmt.Errorf("cannot use %s: health.web_config %q is not an absolute path", path, w)
	}
	return c, nil
}
