package demo

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"text/template"

	"github.com/hedgewatch/hedgewatch/internal/demo/platform"
	"github.com/hedgewatch/hedgewatch/internal/exchangesim"
)

//go:embed hedgewatch.yml.tmpl
var configuration string

//go:embed rules.yml
var rules []byte

// simulatedAccounts are the traders' accounts at the exchange.
func simulatedAccounts() []exchangesim.Account {
	return []exchangesim.Account{{Name: "alpha"}, {Name: "beta"}, {Name: "gamma"}}
}

// platformAccounts are the same accounts as the platform knows them.
func platformAccounts(x *exchangesim.Exchange) (all []platform.Account) {
	for i, a := range x.Accounts() {
		all = append(all, platform.Account{
			ID: fmt.Sprintf("00000000-0000-4000-8000-%012d", i+1), Name: a.Name, Key: a.Key, Secret: a.Secret,
		})
	}
	return all
}

// configure writes the configuration of each process.
func (d *Demo) configure(accounts []platform.Account) error {
	names := []string{platform.KlineCrawler, platform.AccountCrawler, platform.OrderRouter, platform.ReportingAPI}
	if d.database.needsRowServer() {
		names = append(names, platform.RowServer)
	}
	targets := map[string]string{}
	for _, name := range names {
		address, err := settle("127.0.0.1:0")
		if err != nil {
			return err
		}
		targets[name] = address
		cfg := platform.Config{Listen: address, Database: d.database.address(), Governor: "http://" + d.cfg.Governor, Exchange: d.own}
		if name == platform.AccountCrawler || name == platform.OrderRouter {
			cfg.Accounts = accounts
		}
		if err := d.sup.add(name, address, cfg); err != nil {
			return err
		}
	}
	var text bytes.Buffer
	err := template.Must(template.New("hedgewatch.yml").Parse(configuration)).Execute(&text, map[string]any{
		"Own": d.own, "Address": d.listener.Addr().String(), "Governor": d.cfg.Governor, "Database": d.database.address(), "RowServer": targets[platform.RowServer],
		"Accounts": accounts, "Targets": targets, "Discord": d.inbox.discordURL, "Backup": d.own + backupPath,
	})
	if err != nil {
		return err
	}
	if err := os.WriteFile(d.path("rules.yml"), rules, 0o600); err != nil {
		return err
	}
	if err := os.WriteFile(d.path("hedgewatch.yml"), text.Bytes(), 0o600); err != nil {
		return err
	}
	return d.sup.monitorWith(d.path("hedgewatch.yml"), d.path("data"), d.cfg.Web)
}

// writeConfig writes the configuration of a service.
func writeConfig(path string, cfg platform.Config) error {
	text, err := json.MarshalIndent(cfg, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o600)
}
