import { AdminApi } from './admin';
import { AlertmanagerApi } from './alertmanager';
import { AuditApi } from './audit';
import { CapacityApi } from './capacity';
import { Changes } from './changes';
import { Connection } from './connection';
import { GovernorApi } from './governor';
import { HedgewatchApi } from './hedgewatch';
import { Http } from './http';
import { NotifyApi } from './notify';
import { PrometheusApi } from './prometheus';
import { RulesApi } from './rules';
import { ServicesApi } from './services';

/** Everything the server offers, one client for each of its APIs. */
export interface Api {
  http: Http;
  connection: Connection;
  prometheus: PrometheusApi;
  alertmanager: AlertmanagerApi;
  hedgewatch: HedgewatchApi;
  notify: NotifyApi;
  rules: RulesApi;
  admin: AdminApi;
  services: ServicesApi;
  governor: GovernorApi;
  audit: AuditApi;
  capacity: CapacityApi;
  /** Says what to ask for again. */
  changes: Changes;
}

export function createApi(root: URL): Api {
  const connection = new Connection();
  const http = new Http(root, connection);
  return {
    http,
    connection,
    prometheus: new PrometheusApi(http),
    alertmanager: new AlertmanagerApi(http),
    hedgewatch: new HedgewatchApi(http),
    notify: new NotifyApi(http),
    rules: new RulesApi(http),
    admin: new AdminApi(http),
    services: new ServicesApi(http),
    governor: new GovernorApi(http),
    audit: new AuditApi(http),
    capacity: new CapacityApi(http),
    changes: new Changes(() => new EventSource(http.url('api/hw/v1/stream')), connection),
  };
}

export { ApiError, messageOf } from './http';
