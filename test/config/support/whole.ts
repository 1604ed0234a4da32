/** Example configurations. */

const SERVICE_PLUGIN = `    plugins:
      - name: correlation-id
        config: {header_name: X-Id}
`;

const ROUTE_PLUGIN = `        plugins:
          - name: key-auth
            config: {key_names: [apikey]}
`;

const PLUGINS = `plugins:
  - name: correlation-id
    consumer: bob
    route: orders
  - name: rate-limiting
    config: {minute: 5}
`;

/**
 * A configuration with something of every kind that a Kong without plugins of its own takes; without the plugins that a
 * gateway has not yet.
 */
export const whole = (plugins: boolean): string => `_format_version: "3.0"
services:
  - name: shop
    url: http://shop.internal:8080/api
    retries: 2
    tags: [b, a]
${plugins ? SERVICE_PLUGIN : ''}    routes:
      - name: orders
        paths: [/orders, "~/o/\\\\d+$"]
        methods: [POST, GET]
        headers: {x-version: ["1", "2"]}
${ROUTE_PLUGIN}      - paths: [/unnamed]
      - paths: [/unnamed-2]
  - host: nameless.internal
routes:
  - name: serviceless
    hosts: [a.example.com]
consumers:
  - username: bob
    custom_id: "17"
    keyauth_credentials:
      - key: bobs-key
    basicauth_credentials:
      - username: bob
        password: plain-text
    acls:
      - group: gold
    jwt_secrets:
      - key: issuer
        secret: whatever
    hmacauth_credentials:
      - username: bob-hmac
        secret: hmac-secret
    oauth2_credentials:
      - name: app
        client_id: client
        client_secret: client-secret
        redirect_uris: ["https://a.example.com/back"]
  - custom_id: only-custom
upstreams:
  - name: shop.upstream
    slots: 100
    targets:
      - target: 10.0.0.1:80
      - target: 10.0.0.2
        weight: 5
vaults:
  - prefix: my-env
    name: env
    config: {prefix: SECRET_}
key_sets:
  - name: set
${plugins ? PLUGINS : ''}`;
