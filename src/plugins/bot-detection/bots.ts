/**
 * User agents that are no people's: the products that Kong's list knows (which is that of ua-parser), in a form of our own.
 * Product names are facts, kept as words in a text; from them come four expressions, each searched once.
 *
 * No part of an expression repeats without bound beside another that does, and only the beginning of an agent is looked at: a
 * search costs no more than some microseconds.
 */
const LOOKED_AT = 2048;

/** Anywhere. `~` is a space. */
const NAMES = `
Googlebot AdsBot-Google Mediapartners-Google AppEngine-Google Google~SketchUp bingbot BingPreview msnbot msrbot MJ12bot
Slurp YahooSeeker Yahoo!~Slurp Twitterbot LinkedInBot WhatsApp Slackbot-LinkExpanding Slack-ImgProxy Kraken SemrushBot
Scrapy heritrix ia_archiver InternetArchive archiver Nutch Netvibes NewsGator altavista lycos Qwantify Riddler WordPress
Mail.RU_Bot VoilaBot BUbiNG Genieo masscan WhatWeb Wotbox Linguee~Bot LinkAider Lite~Bot Bloglovin BlogBridge Feedbin
FollowSite~Bot Flamingo_SearchEngine GomezAgent YottaaMonitor PagePeeker PagesInventory ThumbShotsBot Thumbshots.ru
WebThumb URL2PNG Tiny~Tiny~RSS SimplePie SimpleRSS Squrl~Java Stringer TheUsefulbot Orbiter OOZBOT OgScrper ObjectsSearch
netresearch mozDex mogimogi masidani_bot larbin LEIA LesnikBot Llaut KaloogaBot Kurzor KiwiStatus~Spider jbot IconSurf
InfuzApp Innovazion~Crawler Icarus6j ICC-Crawler htdig HooWWWer holmes HiddenMarket gsa-crawler grub-client gonzo1
gigabot furlbot findlinks Feed~Seeker~Bot DNSGroup CrawlConvera CRAWL-E ConveraCrawler Comodo-Webinspector-Crawler
Comodo~HTTP(S)~Crawler clumboot Checklinks Charlotte charlotte BotSeer boitho.com-dc BoardReader~Favicon~Fetcher
BoardReader~Blog~Indexer blitzbot Ask~Jeeves 8bo~Crawler~Bot 50.nu 1470.net~crawler 123metaspider-Bot SiteCat~Webbot
USyd-NLP-Spider Trends~Crawler ScollSpider QuerySeekerSpider Lijit~Crawler Job~Roboter Index~crawler Finderbots CrawlFire
CrawlDaddy Cityreview~Robot CSimpleSpider Aboundex PaxleFramework Peeplo~Screenshot~Bot PlantyNet_WebRobot Pompos
Read%20Later Reaper RedCarpet Retreiver Rival~IQ scooter Scrubby searchsight seekbot semanticdiscovery SEOstats Simpy
SiteCon snappy Speedy~Spider Vagabondo Votay~bot Web-sniffer WIRE www.almaden.ibm.com yacy YodaoBot Yowedo
ZeBot_www.ze.bz ZooShot ZyBorg Mtps~Feed~Aggregation~System Nymesis Daumoa IlTrovatore ichiro
Google-HTTP-Java-Client Apache-HttpClient Go-http-client scalaj-http http%20client Python-urllib HttpMonitor TLSProber
WinHTTP JNLP okhttp aihttp reqwest axios unirest-java unirest-python unirest-ruby unirest-nodejs unirest-php unirest-net`;

/** With a version behind them. */
const VERSIONED = `
008 Altresium Argus BaiduMobaider BoardReader DataparkSearch EDI Goodzer Grub INGRID Infohelfer LOOQ PathDefender Peew
PostPost Steeler VSE WebCrunch WebZIP Y!J-BRW envolk sproose wminer`;

/** At the very beginning. */
const FIRST = 'NING vortex voyager Zao';

/** Families of names, which no list has all of. */
const FAMILIES = [
  'Pingdom\\.com_bot_version_\\d',
  'facebookexternalhit/\\d',
  'Google.{0,200}/\\+/web/snippet',
  '\\b(?:Boto3?|JetS3t|s3fs|aws-cli|aws-sdk-(?:cpp|go|java|nodejs|ruby2?|dotnet-(?:\\d\\d?|core)))/\\d+\\.\\d',
  ' PTST/\\d+\\.?\\d*$',
  '/(?:(?:Ant-)?Nutch|[A-Za-z]{1,30}[Bb]ot|[A-Za-z]{1,30}[Ss]pider|Axtaris|fetchurl|Isara|ShopSalad|Tailsweep)[ -]\\d',
  'MSIE \\d+\\.\\d.{0,200} MSIECrawler',
  '[Bb]ai[Dd]u[Ss]pider',
  'archive.{0,30}\\.org_bot',
  'favicon',
  '\\bYeti',
  'Catchpoint',
  'Accoona-[A-Za-z]{1,30}-Agent',
  'IP2[a-z]{1,30}Bot',
  'Microsoft .{0,30} Bot',
  'WASALive.Bot',
  'WeSEE:[A-Za-z]{1,30}',
  'Xenu(?:.s)? Link Sleuth',
  'Xerka [A-Za-z]{1,30}Bot',
  'Yandex\\w',
  // Anything that calls itself one and has a version; `bot` alone is in too many names of devices.
  '(?:[Aa]rchiver|[Ii]ndexer|[Ss]craper|[Bb]ot|[Ss]pider|[Cc]rawl[a-z]{0,50})[/ ]\\d',
  '[Ss][Pp][Ii][Dd][Ee][Rr]|[Ss]crape|[Cc][Rr][Aa][Ww][Ll]',
];

function words(text: string): string {
  return text
    .trim()
    .split(/\s+/)
    .map((word) => word.replaceAll('~', ' ').replaceAll(/[.()!+$]/g, '\\$&'))
    .join('|');
}

const EXPRESSIONS = [
  new RegExp(words(NAMES)),
  new RegExp(`\\b(?:${words(VERSIONED)})/\\d`),
  new RegExp(`^(?:${words(FIRST)})`),
  new RegExp(FAMILIES.join('|')),
];

export function isKnownBot(agent: string): boolean {
  const text = agent.length > LOOKED_AT ? agent.slice(0, LOOKED_AT) : agent;
  return EXPRESSIONS.some((expression) => expression.test(text));
}
